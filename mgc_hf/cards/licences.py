"""Under which licence fine-tuned weights are: that of the weights they began as, as its own card on the Hub says."""

from typing import Any

_WAVLM = {
    "license": "other",
    "license_name": "wavlm-disputed",
    "license_link": "https://github.com/microsoft/unilm/issues/1757",
}

#: Beginnings of Hub ids -> what the card's header says.
_BASES: dict[str, dict[str, str]] = {
    "facebook/hubert-": {"license": "apache-2.0"},
    "facebook/wav2vec2-": {"license": "apache-2.0"},
    "facebook/w2v-bert-": {"license": "mit"},
    "openai/whisper-": {"license": "apache-2.0"},
    "ntu-spml/distilhubert": {"license": "apache-2.0"},
    "MIT/ast-": {"license": "bsd-3-clause"},
    "microsoft/wavlm-": _WAVLM,
}

_NOTES: dict[str | None, str] = {
    None: "not known: that of the checkpoint it began as; find out before you publish or use it",
    **{
        name: f"{name}, as the checkpoint's own; it asks for its text, which its authors publish, to go along as `LICENSE`"
        for name in ("mit", "bsd-3-clause")
    },
    "other": (
        "disputed: WavLM's weights are named as MIT and as CC BY-SA 3.0 "
        "([microsoft/unilm 1757](https://github.com/microsoft/unilm/issues/1757)); ask before you publish or use it"
    ),
}


def licence_of(base_model: str | None) -> tuple[dict[str, Any], str]:
    """Return what is known of a model's licence.

    Args:
        base_model (`str`, *optional*): Hub id, or the name of a local folder, of the weights that it began as; `None`
            for weights of our own, which are Apache-2.0 as the code is.

    Returns:
        `tuple[dict, str]`: Entries of the card's header, none where nothing is known, and Markdown for its text.
    """
    if base_model is None:
        entries = {"license": "apache-2.0"}
    else:
        entries = next((of for start, of in _BASES.items() if base_model.startswith(start)), {})
    licence = entries.get("license")
    return dict(entries), _NOTES.get(licence, f"{licence}, as the checkpoint's own" if base_model else str(licence))
