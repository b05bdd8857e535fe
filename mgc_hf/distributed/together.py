"""Work that one process does for all, or that all do in turn; a failure reaches every process as the same error.

A process that stops alone leaves the others waiting in a collective until `ddp_timeout`. So whatever may fail in one
of them is followed by an exchange of outcomes.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

from mgc_hf.errors import DistributedError, MgcHfError

T = TypeVar("T")


def on_main(work: Callable[[], T]) -> T:
    """Let the main process do something; every process gets what came of it.

    Only the main process looks at the output folder, so a machine without that disk takes part all the same.

    Args:
        work (`Callable`): Takes nothing; what it returns is pickled and sent to the others.

    Raises:
        MgcHfError: What `work` raised, in every process.
        DistributedError: In the other processes, where `work` failed with any other exception.
    """
    state = PartialState()
    if state.num_processes == 1:
        return work()
    result, error = None, None
    if state.is_main_process:
        try:
            result = work()
        except Exception as caught:  # whatever it is, the others must hear of it
            error = caught
    outcome: list[Any] = [(result, _for_others(error))]
    broadcast_object_list(outcome)
    result, failure = outcome[0]
    if failure is not None:
        raise failure if error is None or error is failure else error
    return result


@contextmanager
def in_turn() -> Iterator[None]:
    """A `with` block that one process of each machine enters first, to fill that machine's caches, then the others.

    Raises:
        MgcHfError: What the block raised in any process, in every process.
        DistributedError: In the other processes, where it was any other exception.
    """
    state = PartialState()
    if not state.is_local_main_process:
        raise_together(None)
    error = None
    try:
        yield
    except Exception as caught:  # as above
        error = caught
    raise_together(error)
    if state.is_local_main_process:
        raise_together(None)


def raise_together(error: Exception | None) -> None:
    """Exchange outcomes: raise if any process has failed. Every process must call it.

    Args:
        error (`Exception`, *optional*): What this process has failed with.

    Raises:
        Exception: This process's own error, else the first one of the others.
    """
    failures = [_for_others(error)]
    if PartialState().num_processes > 1:
        failures = gather_object(failures)
    if error is not None:
        raise error
    for failure in failures:
        if failure is not None:
            raise failure


def _for_others(error: Exception | None) -> MgcHfError | None:
    """Return an error as the other processes shall raise it."""
    if error is None:
        return None
    if not isinstance(error, MgcHfError):
        error = DistributedError(
            f"process {PartialState().process_index} failed: {type(error).__name__}: {error}; its traceback says where"
        )
    error.everywhere = True
    return error


def same_everywhere(facts: Mapping[str, Any]) -> None:
    """Refuse to go on where processes were given different data or options (each machine reads its own).

    Args:
        facts (`Mapping[str, Any]`): What must be equal, by name.

    Raises:
        DistributedError: Names what differs and shows two of the values; in every process.
    """
    everyone = gather_object([dict(facts)])
    for name in facts:
        for process, theirs in enumerate(everyone):
            if theirs[name] != everyone[0][name]:
                error = DistributedError(
                    f"the processes differ in {name}: process 0 has {everyone[0][name]}, process {process} has "
                    f"{theirs[name]}; give every machine the same data and the same options"
                )
                error.everywhere = True
                raise error
