"""What was found, and the cheap half of it that every recipe asks for before it starts."""

from dataclasses import asdict, dataclass
from typing import Any

from mgc_hf.errors import SetupError

OK, WARNING, ERROR = "ok", "warning", "error"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        name (`str`): What was looked at.
        status (`str`): `ok`, `warning` (a run works, but not as well as it could) or `error` (it would stop).
        text (`str`): What was found.
        cure (`str`, *optional*): The command, or the step, that mends it.
    """

    name: str
    status: str
    text: str
    cure: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def check_before_run(output_dir: str, cache_dir: str | None = None) -> None:
    """Look at what would stop any run, in well under half a second, before data or models are touched.

    Args:
        output_dir (`str`): Where the run will write.
        cache_dir (`str`, *optional*): Where it will prepare data; the cache of `datasets` where not given.

    Raises:
        SetupError: The first of what was found, with its cure.
    """
    from mgc_hf.doctor.places import check_places
    from mgc_hf.doctor.sound import check_library

    for finding in (*check_library(), *check_places(output_dir, cache_dir)):
        if finding.status == ERROR:
            raise SetupError(f"{finding.name}: {finding.text}" + (f"; {finding.cure}" if finding.cure else ""))
