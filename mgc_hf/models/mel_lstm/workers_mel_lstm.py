"""Threads that each run torch on one core, for work that comes in many small independent parts.

Torch's own threads split one operation at a time and meet after each: for operations of some tens of microseconds the
meetings cost as much as they save. Here a part stays on its core from beginning to end, and its result does not
depend on how many threads there are.
"""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import torch

Part = TypeVar("Part")


class _Pool:
    """The process's threads; made when first needed, made anew when more are wanted."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.executor: ThreadPoolExecutor | None = None
        self.size = 0

    def get(self, size: int) -> ThreadPoolExecutor:
        with self.lock:
            if self.executor is None or self.size < size:
                # The threads of the former one end when its last caller lets go of it.
                self.executor, self.size = _start(size), size
            return self.executor


def _start(size: int) -> ThreadPoolExecutor:
    """Start `size` threads, all of them now, each with one torch thread."""
    executor = ThreadPoolExecutor(size, thread_name_prefix="log-mel")
    ready = threading.Barrier(size)
    before = torch.get_num_threads()

    def limit() -> None:
        torch.set_num_threads(1)
        # Torch sets a thread up at its first operation, by the number that then holds for the process: it must be now.
        torch.ones(1).add_(1)
        ready.wait()

    for started in [executor.submit(limit) for _ in range(size)]:
        started.result()
    # The number is kept per thread, but the last one set is also what threads started later begin with.
    torch.set_num_threads(before)
    return executor


_pool = _Pool()


def _forget_pool() -> None:
    """A forked child has the object but not its threads."""
    global _pool
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def run_parts(work: Callable[[Iterable[Part]], None], parts: Iterable[Part]) -> None:
    """Call `work` on as many threads as torch may use, each with an iterable that shares out `parts`.

    With one thread allowed (`torch.set_num_threads(1)`, `OMP_NUM_THREADS=1`, a worker of a data loader) the calling
    thread does it all and no other is started.

    Raises:
        Exception: What `work` raised, if it did; the other threads stop after the part in hand.
    """
    size = torch.get_num_threads()
    shared = _Shared(parts)
    if size == 1:
        work(shared)
        return

    def work_or_stop() -> None:
        try:
            work(shared)
        except BaseException:
            shared.stop()
            raise

    executor = _pool.get(size)
    running = [executor.submit(work_or_stop) for _ in range(size)]
    try:
        for future in running:
            future.result()
    finally:
        # Also when the caller is interrupted: nobody waits for the rest any more.
        shared.stop()
        wait(running)


class _Shared(Iterable[Part]):
    """An iterable that several threads draw from."""

    def __init__(self, parts: Iterable[Part]):
        self.parts = iter(parts)
        self.lock = threading.Lock()
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True

    def __iter__(self) -> "_Shared[Part]":
        return self

    def __next__(self) -> Part:
        with self.lock:
            if self.stopped:
                raise StopIteration
            return next(self.parts)
