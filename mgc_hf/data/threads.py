"""Work on clips in a few threads: libsndfile, libsoxr and numpy release the interpreter's lock."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

#: More threads gain nothing: what Python does for each clip holds the lock for about a tenth of its time.
MAX_THREADS = 8
_In = TypeVar("_In")
_Out = TypeVar("_Out")


def count_threads(processes: int = 1) -> int:
    """Return the number of threads for each of so many processes: together they take the cores that this one may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores // processes, MAX_THREADS))


def map_in_order(
    function: Callable[[_In], _Out], items: Iterable[_In], threads: int
) -> Generator[tuple[_In, _Out], None, None]:
    """Map on threads, keeping the order, working ahead and holding only a few items.

    Args:
        function (`Callable`): Is called in the threads.
        items (`Iterable`): Is read in the caller's thread, at most `2 * threads + 1` ahead of what was taken.
        threads (`int`): Number of threads.

    Yields:
        `tuple`: Each item with its result. An exception of `function` is raised where its result would come.
    """
    pending: deque[tuple[_In, Future[_Out]]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            pending.append((item, pool.submit(function, item)))
            if len(pending) > 2 * threads:
                done, future = pending.popleft()
                yield done, future.result()
        while pending:
            done, future = pending.popleft()
            yield done, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
