"""Libraries of sound that are installed and do not load count as absent, or transformers could not be imported.

`transformers.audio_utils` imports torchaudio and soundfile wherever their files lie, and the Trainer and every speech
model import it (transformers 5.23). A torchaudio wheel for CUDA beside a CPU build of torch fails, and so does soundfile
without libsndfile. Nothing of ours needs torchaudio, and of soundfile only decoding, which says so itself.
"""

import importlib
import importlib.util
import sys
from types import ModuleType

import wrapt

_LIBRARIES = ("torchaudio", "soundfile")
#: Library -> what it raised.
_failed: dict[str, str] = {}


def hide_unloadable(import_utils: ModuleType) -> None:
    """Import each library that is there; one that fails is not found by any later `import`.

    Args:
        import_utils (`ModuleType`): transformers' own, which remembers what it has found.
    """
    for name in _LIBRARIES:
        try:
            if name in sys.modules or importlib.util.find_spec(name) is None:
                continue
            importlib.import_module(name)
        except Exception as error:  # a broken library raises whatever it likes
            _failed[name] = str(error) or type(error).__name__
            for part in [module for module in sys.modules if module.startswith(f"{name}.")]:
                del sys.modules[part]
            sys.modules[name] = None  # type: ignore[assignment]  # Python's own mark of what cannot be imported
            getattr(import_utils, f"is_{name}_available").cache_clear()


def hide_when_transformers_is_imported() -> None:
    """Do so as soon as transformers is imported, before it looks for libraries."""
    wrapt.register_post_import_hook(hide_unloadable, "transformers.utils.import_utils")


def why_hidden(name: str) -> str | None:
    """Return what a library raised when it was tried; `None` where it was not, or loaded."""
    return _failed.get(name)
