"""What of a model folder is published: one list of patterns, and nothing that is not on it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from mgc_hf.errors import PublishError
from mgc_hf.results import EVAL_RESULTS_FILE, PICTURE_FILES, WIDGET_FILES

#: Patterns of the paths that go to the Hub, with `/` between folders; `*` does not cross one. What is there under such a
#: path and no longer in the folder goes away with a push, so they name what we write and nothing wider.
PUBLISHED = (
    # weights, configuration, feature extractor, and the code of our own models
    "model.safetensors",
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
    "config.json",
    "preprocessor_config.json",
    "*_mel_lstm.py",
    "pipeline_genre.py",
    # what is known of it
    "README.md",
    "LICENSE",
    "results.json",
    "predictions.parquet",
    "split.json",
    "recordings.json",
    "resolved.yaml",
    EVAL_RESULTS_FILE,
    "onnx/model.onnx",
    *PICTURE_FILES.values(),
    *WIDGET_FILES.values(),
)

#: Without these a folder is no model that anyone could load or judge.
NEEDED = ("config.json", "preprocessor_config.json", "README.md", "results.json")

#: What must not be published, whatever file it stands in: name -> pattern, and what each match has in it in small letters.
_SECRETS = {
    "a Hugging Face token": (rb"\bhf_[A-Za-z0-9]{30,}\b", (b"hf_",)),
    "an AWS access key": (rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", (b"akia", b"asia")),
    "an AWS secret key": (
        rb"(?i:aws_secret_access_key)\s*[=:]\s*['\"]?[A-Za-z0-9/+=]{40}",
        (b"aws_secret_access_key",),
    ),
    "a private key": (rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----", (b"private key-----",)),
    "a home folder": (
        rb"(?<![\w.-])(?:/home/[\w.-]+|/Users/[\w.-]+|/root)/(?=[\w.~-])|(?i:\b[A-Z]:\\+Users\\+[\w.-]+)",
        (b"/home/", b"/users/", b"/root/", b"users\\"),
    ),
    # of a track that is named by where it lies, or of an option
    "an absolute path": (
        rb'"/(?:[^"/\n]+/)+[^"/\n]*"|(?:: |- )/(?:[^\s"/]+/)+[^\s"/]',
        (b"/",),
    ),
}
#: Kinds that are looked for in records alone; in running text a slash begins other things.
_IN_RECORDS = {"an absolute path"}
_STEP, _OVERLAP = 2**24, 2**10


@dataclass(frozen=True)
class Content:
    """A file that is published.

    Args:
        path (`str`): Where in the repository, `/` between folders.
        file (`Path`): Where on this machine.
        size (`int`): Bytes.
    """

    path: str
    file: Path
    size: int


def is_published(path: str) -> bool:
    """Whether a path of a repository is one that a push writes."""
    parts = path.split("/")
    return any(
        len(parts) == pattern.count("/") + 1 and all(map(fnmatchcase, parts, pattern.split("/")))
        for pattern in PUBLISHED
    )


def list_contents(folder: str | Path) -> list[Content]:
    """Return what of a model folder is published, in order of path.

    Args:
        folder (`str` or `Path`): A finished run's folder.

    Raises:
        PublishError: It is no folder of a finished run.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise PublishError(f"{folder}: is no folder; name the --output_dir of a finished run")
    found, links = [], []
    for path in sorted({path for pattern in PUBLISHED for path in folder.glob(pattern)}):
        if path.is_symlink():
            links.append(path.relative_to(folder).as_posix())
        elif path.is_file():
            found.append(Content(path.relative_to(folder).as_posix(), path, path.stat().st_size))
    if links:
        raise PublishError(
            f"{folder}: {', '.join(links)} {'is a link' if len(links) == 1 else 'are links'}, which may lead anywhere; "
            "put the files themselves there (cp -rL makes such a copy of a folder)"
        )
    names = {content.path for content in found}
    if "config.json" not in names and (folder / "fold-0").is_dir():
        raise PublishError(
            f"{folder}: is a cross-validated run, which is several models and not one; push the folder of a fold "
            f"({folder / 'fold-0'})"
        )
    absent = [name for name in NEEDED if name not in names]
    if not any(name.endswith(".safetensors") for name in names):
        absent.append("model.safetensors")
    if absent:
        raise PublishError(
            f"{folder}: has no {' and no '.join(absent)}, so it is not the folder of a finished run; name the "
            "--output_dir of one"
        )
    absent = sorted({module for module in _modules(folder) if module not in names})
    if absent:
        raise PublishError(
            f"{folder}: its configuration names {', '.join(absent)}, which {'is' if len(absent) == 1 else 'are'} not there: "
            "nobody without mgc_hf could load it; save the model again"
        )
    return found


def _modules(folder: Path) -> Iterator[str]:
    """Yield the files of code that a folder's configurations name as its own."""
    for name in ("config.json", "preprocessor_config.json"):
        try:
            values = json.loads((folder / name).read_text(encoding="utf-8"))
            named = [*values.get("auto_map", {}).values()]
            named += [entry["impl"] for entry in values.get("custom_pipelines", {}).values()]
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise PublishError(f"{folder / name}: is damaged ({error}); save the model again") from error
        for code in named:
            if isinstance(code, str) and "--" not in code:  # with it, it lies in another repository
                yield f"{code.split('.')[0]}.py"


def check_metadata(contents: list[Content]) -> None:
    """Refuse a card whose YAML header the Hub would not take, before anything is sent.

    Raises:
        PublishError: Names the file, and the line where the header breaks.
    """
    import yaml
    from huggingface_hub import metadata_load

    for content in contents:
        if content.path != "README.md":
            continue
        try:
            if not metadata_load(content.file):
                raise ValueError("it has no header between two lines of ---")
        except (yaml.YAMLError, ValueError) as error:
            said = " ".join(str(error).split())
            raise PublishError(f"{content.file}: the card's header is no valid metadata ({said}); mend it") from error


def refuse_secrets(contents: list[Content]) -> None:
    """Look for tokens, keys and home folders in what is to be published.

    Raises:
        PublishError: Names each file and line, never the secret itself.
    """
    found = [f"{content.path}{where}: {what}" for content in contents for where, what in _secrets_of(content.file)]
    if found:
        shown = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
        raise PublishError(f"not published: {shown}. Take it out of the file, then push again")


def _secrets_of(file: Path) -> Iterator[tuple[str, str]]:
    """Yield line (where the file has any) and kind of secret, in steps, so that memory does not grow with the file."""
    seen: set[int] = set()
    line, start, tail = 1, 0, b""
    in_record = file.suffix in (".json", ".yaml")
    with open(file, "rb") as stream:
        is_text = b"\0" not in stream.read(8192)
        stream.seek(0)
        while step := stream.read(_STEP):
            block = tail + step
            for within, name in sorted(_matches(block, in_record)):
                if start + within not in seen:
                    seen.add(start + within)
                    lines = line + block.count(b"\n", 0, within)
                    yield f", line {lines}" if is_text else "", name
            kept = block[-_OVERLAP:]
            line += block.count(b"\n", 0, len(block) - len(kept))
            start += len(block) - len(kept)
            tail = kept


def _matches(block: bytes, in_record: bool) -> Iterator[tuple[int, str]]:
    """Yield where a secret begins, and its kind; weights are gone through at the speed of a plain search."""
    small = block.lower()
    for name, (pattern, literals) in _SECRETS.items():
        if name in _IN_RECORDS and not in_record:
            continue
        if any(literal in small for literal in literals):
            yield from ((match.start(), name) for match in re.finditer(pattern, block))
