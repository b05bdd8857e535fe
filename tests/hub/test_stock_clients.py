"""Round trip: HuBERT, WavLM and wav2vec 2.0 from training to a machine that has transformers alone."""

import json

import numpy as np
import pytest

from tests.hub.clients import QUICK_PUSH, without_mgc_hf
from tests.hub.conftest import last_json

KINDS = {
    "hubert": "facebook/hubert-base-ls960",
    "wavlm": "microsoft/wavlm-base",
    "wav2vec2": "facebook/wav2vec2-base",
}

#: What a stranger does with a model, as its page says: Auto classes and the stock pipeline, no trust in any code.
USE = """
import importlib.util, json
try:
    importlib.util.find_spec("mgc_hf")
    raise SystemExit("mgc_hf is there")
except ModuleNotFoundError:
    pass
import numpy as np, torch
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification, pipeline
torch.set_num_threads(1)
found = {}
wave = (0.3 * np.sin(np.arange(16000) / 7)).astype(np.float32)
for name in NAMES:
    extractor = AutoFeatureExtractor.from_pretrained(name)
    model = AutoModelForAudioClassification.from_pretrained(name)
    with torch.inference_mode():
        logits = model(**extractor(wave, sampling_rate=16000, return_tensors="pt")).logits
    heard = pipeline("audio-classification", model=name)(wave, top_k=None)
    found[name] = {
        "logits": logits.numpy().astype("<f4").tobytes().hex(),
        "dtype": str(logits.dtype),
        "class": type(model).__module__.split(".")[0],
        "labels": [model.config.id2label[index] for index in range(model.config.num_labels)],
        "heard": {row["label"]: row["score"] for row in heard},
    }
print()
print(json.dumps(found))
"""


def _use(client, names, **more):
    code = without_mgc_hf(f"NAMES = {names!r}\n{USE}")
    found = last_json(client(*code, user=None, check=0, PYTHONPATH="", **more).out)
    return [found[name] for name in names]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of finished runs, one of each kind."""
    from mgc_hf import fine_tune
    from mgc_hf.options import SPEECH_DEFAULTS

    values = {
        **SPEECH_DEFAULTS,
        "dataset": "demo",
        "demo_clips_per_genre": 4,
        "demo_seconds": 2.0,
        "segment_seconds": 1.0,
        "from_scratch": True,
        "size": "tiny",
        "num_train_epochs": 1,
        "num_resamples": 100,
        "floor": False,
        "pictures": False,
        "bf16": False,
        "disable_tqdm": True,
        "cache_dir": str(tmp_path_factory.mktemp("cache")),
    }
    folders = {kind: tmp_path_factory.mktemp("finished") / kind for kind in KINDS}
    for kind, name in KINDS.items():
        fine_tune(**values, model_name_or_path=name, output_dir=str(folders[kind]))
    return folders


def test_transformers_alone_loads_what_was_published_and_gives_the_same_logits(client, hub, runs):
    for kind, folder in runs.items():
        client(*QUICK_PUSH, folder, f"alice/{kind}", check=0)
    hub.log.clear()
    published = _use(client, [f"alice/{kind}" for kind in KINDS], home="stranger")
    read = [seen.path for seen in hub.log if seen.status < 300]
    assert not any(path.endswith(".py") for path in read)
    assert any(path.endswith("model.safetensors") for path in read)
    here = _use(client, [str(folder) for folder in runs.values()], home="nobody", HF_HUB_OFFLINE="1")
    assert published == here
    for kind, found in zip(KINDS, published, strict=True):
        assert (found["class"], found["dtype"]) == ("transformers", "torch.float32")
        assert "auto_map" not in json.loads((runs[kind] / "config.json").read_text())
        logits = np.frombuffer(bytes.fromhex(found["logits"]), "<f4")
        assert len(logits) == len(found["labels"]) == 10
        # the pipeline's probabilities are those of the logits
        weights = np.exp(logits.astype(np.float64) - logits.max())
        expected = dict(zip(found["labels"], weights / weights.sum(), strict=True))
        assert found["heard"] == pytest.approx(expected, abs=1e-5)
    assert len({found["logits"] for found in published}) == len(KINDS)


def test_strangers_and_we_hear_the_same(client, runs):
    """The classifier of this package, on the window that the stranger's model was given."""
    from mgc_hf import GenreClassifier

    wave = (0.3 * np.sin(np.arange(16000) / 7)).astype(np.float32)
    here = _use(client, [str(folder) for folder in runs.values()], HF_HUB_OFFLINE="1")
    for folder, found in zip(runs.values(), here, strict=True):
        ours = GenreClassifier.from_pretrained(folder, device="cpu")(wave, 16000).probabilities
        assert ours == pytest.approx(found["heard"], abs=1e-5)
