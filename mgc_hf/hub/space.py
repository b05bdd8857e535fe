"""The page of `mgc-hf demo-app` as a Space, which hears a published model at the commit of its push.

The Space's files are the page's own file, word for word, and three that name the model, what is installed and what the
Space is. It is only written where it is ours: `model.json` says what was written, so that edits are seen.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mgc_hf.cards.signature import sign, signature
from mgc_hf.errors import PublishError
from mgc_hf.files import write_json, write_text
from mgc_hf.hub.committing import CARD, PushResult, git_and_lfs_ids, publish, remote_id
from mgc_hf.hub.contents import Content
from mgc_hf.hub.failures import explained
from mgc_hf.hub.targets import check_target
from mgc_hf.hub.waiting import limited_waiting
from mgc_hf.models.pipelines import IMPLEMENTATION
from mgc_hf.schema import yaml_text

APP, MODEL, REQUIREMENTS = "app.py", "model.json", "requirements.txt"
#: All that a Space of ours holds.
SPACE_FILES = (CARD, APP, MODEL, REQUIREMENTS)
#: What the Hub itself puts into a new repository.
_OF_THE_HUB = (".gitattributes",)
GRADIO_VERSION = "6.31.0"
#: A Space has Python 3.10 by default, which transformers 5.23 refuses.
PYTHON_VERSION = "3.11"
#: What `app.py`, the pipeline and the features of our own models import; Gradio comes with the Space, in the version of its
#: README.
PACKAGES = (
    "librosa>=0.11,<0.12",
    "matplotlib>=3.10,<4",
    "numpy>=2.0,<3",
    "soundfile>=0.13,<1",
    "soxr>=0.5,<2",
    "torch>=2.9,<3",
    "transformers>=5.23,<6",
)
#: In a dry run, in place of the commit that there will be.
NO_COMMIT = "0" * 40

_README = """\
Upload a clip of music or record one. The model [{model}]({endpoint}/{model}) gives each of its genres a
probability, over the whole clip and along it; below is the clip's spectrogram. How far to trust it, and under which
licence its weights are, says the model's card.

`{app}` loads the model at the commit that `{of}` names and **runs the code of that repository at that commit** (its pipeline,
and what else its configuration names), and no other code from the Hub. If the model is private, give the Space a secret `HF_TOKEN` that may read it.

To run it on your own computer (Python {python} or newer), in a clone of this Space:

```bash
pip install gradio=={gradio} -r {requirements}
python {app}
```

Written by `mgc-hf push --with_space`, which writes it again with the model's next push.
"""


def space_name(repo_id: str) -> str:
    """Return the Space of a model, `ORG/NAME-demo`."""
    return f"{repo_id}-demo"


def check_space(folder: str | Path, repo_id: str) -> None:
    """Refuse, before anything is sent, what could be no Space.

    Raises:
        PublishError: The Space's name cannot be, or the model's folder brings no pipeline that the page could ask.
    """
    check_target(space_name(repo_id), token="not asked for")
    try:
        pipelines = (
            json.loads((Path(folder) / "config.json").read_text(encoding="utf-8")).get("custom_pipelines") or {}
        )
    except (OSError, ValueError, AttributeError):
        pipelines = {}
    if not any(entry.get("impl") == IMPLEMENTATION for entry in pipelines.values()):
        raise PublishError(
            f"{folder}: its config.json names no {IMPLEMENTATION}, which a Space would ask; push it without --with_space, or "
            "make the run again with this version"
        )


def list_space(repo_id: str, revision: str, folder: Path) -> list[Content]:
    """Write a Space's files.

    Args:
        repo_id (`str`): The model.
        revision (`str`): Its commit, 40 hexadecimal digits.
        folder (`Path`): Where to write them.

    Returns:
        `list[Content]`: In order of path.
    """
    import mgc_hf.app

    source = Path(mgc_hf.app.__file__).with_name("genre_app.py")
    write_text(folder / APP, source.read_text(encoding="utf-8"))
    write_text(folder / REQUIREMENTS, "".join(f"{line}\n" for line in PACKAGES))
    write_text(folder / CARD, sign(_readme(repo_id)))
    written = {name: git_and_lfs_ids(folder / name)[0] for name in (APP, REQUIREMENTS)}
    write_json(folder / MODEL, {"model": repo_id, "revision": revision, "written": written})
    return [Content(name, folder / name, (folder / name).stat().st_size) for name in sorted(SPACE_FILES)]


def _readme(repo_id: str) -> str:
    from huggingface_hub.constants import ENDPOINT

    name = repo_id.partition("/")[2]
    header = {
        "title": f"Music genre: {name}",
        "emoji": "🎵",
        "colorFrom": "blue",
        "colorTo": "indigo",
        "sdk": "gradio",
        "sdk_version": GRADIO_VERSION,
        "python_version": PYTHON_VERSION,
        "app_file": APP,
        "pinned": False,
        "license": "apache-2.0",
        "short_description": "Names the genre of a clip of music",
        "models": [repo_id],
        "tags": ["mgc_hf", "audio-classification", "music"],
    }
    text = _README.format(
        model=repo_id,
        endpoint=ENDPOINT,
        app=APP,
        of=MODEL,
        requirements=REQUIREMENTS,
        gradio=GRADIO_VERSION,
        python=PYTHON_VERSION,
    )
    return f"---\n{yaml_text(header)}---\n\n# Music genre: {name}\n\n{text}"


def push_space(
    repo_id: str,
    revision: str,
    *,
    private: bool = False,
    card: str | None = None,
    token: str | None = None,
    timeout: float = 60.0,
) -> PushResult:
    """Publish the page that hears a published model, as the Space `ORG/NAME-demo`.

    Args:
        repo_id (`str`): The model.
        revision (`str`): Its commit, 40 hexadecimal digits; the Space hears this one.
        private (`bool`, *optional*, defaults to `False`): Make a new Space private; it is, too, where the model is.
        card (`str`, *optional*): What becomes of edits to the Space's README: `keep` or `overwrite` them.
        token (`str`, *optional*): Token; the one that is stored or in `HF_TOKEN` by default.
        timeout (`float`, *optional*, defaults to 60.0): Seconds to wait in all for a Hub that is busy.

    Returns:
        [`PushResult`]: Where nothing has changed there is no commit.

    Raises:
        PublishError: One sentence that says what to do. A Space that holds anything that was not written here is never
            changed.
    """
    from huggingface_hub.constants import ENDPOINT

    space = space_name(repo_id)
    token = check_target(space, token)
    private = private or _hidden(repo_id, space, token, timeout)
    with explained(space, ENDPOINT), tempfile.TemporaryDirectory(prefix="mgc_hf-") as temporary:
        return publish(
            list_space(repo_id, revision, Path(temporary)),
            space,
            repo_type="space",
            space_sdk="gradio",
            is_published=lambda path: path in SPACE_FILES,
            check_tree=lambda tree, read: _refuse_foreign(space, repo_id, tree, read),
            private=private,
            card=card,
            commit_message=f"Demo of {repo_id}",
            token=token,
            timeout=timeout,
        )


def _hidden(repo_id: str, space: str, token: str, timeout: float) -> bool:
    """Whether a Space is to be made, and private as its model is."""
    from huggingface_hub import HfApi

    api = HfApi(token=token, library_name="mgc_hf")
    with explained(space, api.endpoint), limited_waiting(timeout):
        return not api.repo_exists(space, repo_type="space") and bool(api.repo_info(repo_id).private)


def _refuse_foreign(space: str, repo_id: str, tree: Mapping[str, Any], read: Callable[[str], Path]) -> bool:
    """Refuse a Space that holds what was not written here.

    Args:
        space, repo_id (`str`): The Space, and the model that it is to hear.
        tree (`Mapping[str, Any]`): Its files by path.
        read (`Callable`): Fetches one of them.

    Returns:
        `bool`: Whether the Space is new: its README, if it has one, is the one that the Hub itself puts there.

    Raises:
        PublishError: Names the files.
    """
    held = [path for path in tree if path not in _OF_THE_HUB]
    if set(held) <= {CARD}:
        return True
    foreign = [path for path in held if path not in SPACE_FILES]
    if CARD in tree and signature(read(CARD).read_text(encoding="utf-8", errors="replace")) is None:
        foreign.append(CARD)
    of: Any = None
    if MODEL in tree:
        try:
            of = json.loads(read(MODEL).read_text(encoding="utf-8"))
        except ValueError:
            of = None
    written = of.get("written") if isinstance(of, dict) and of.get("model") == repo_id else None
    if not isinstance(written, dict):
        written = {}
        foreign += [MODEL] * (MODEL in tree)
    foreign += [path for path in (APP, REQUIREMENTS) if path in tree and remote_id(tree[path]) != written.get(path)]
    if foreign:
        raise PublishError(
            f"{space}: this Space holds what `mgc-hf push` has not written ({', '.join(sorted(foreign)[:5])}"
            f"{', ...' * (len(foreign) > 5)}), so it is left alone; rename it in its settings on the Hub (or delete it), "
            "then push again, or push without --with_space"
        )
    return False
