"""Threads that each run torch on one core, for work that comes in many small independent parts.

Torch's own threads split one operation at a time and meet after each: for operations of some tens of microseconds the
meetings cost as much as they save. Here a part stays on its core from beginning to end, and its result does not
depend on how many threads there are.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

Part = TypeVar("Part")


class _Pool:
    """The process's helping threads; made when first needed, made anew when more are wanted."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.helpers: ThreadPoolExecutor | None = None
        self.size = 0
        self.keeper = ThreadPoolExecutor(1, thread_name_prefix="log-mel-keeper")

    def get(self, size: int) -> ThreadPoolExecutor:
        with self.lock:
            if self.helpers is None or self.size < size:
                # The threads of the former one end when its last caller lets go of it.
                self.helpers, self.size = _start(size), size
            return self.helpers

    def keep_number(self, number: int) -> "Future[None]":
        """Let threads that are started from now on begin with `number` torch threads.

        Torch keeps the number for each thread, and the one last set anywhere for threads that have none yet. So it is
        set once more by a thread that computes nothing.
        """
        return self.keeper.submit(torch.set_num_threads, number)


def _start(size: int) -> ThreadPoolExecutor:
    """Start `size` threads, all of them now, each with one torch thread."""
    executor = ThreadPoolExecutor(size, thread_name_prefix="log-mel")
    ready = threading.Barrier(size)

    def limit() -> None:
        # Asked first: when a thread first asks it takes over the process's number, which would undo the next line.
        torch.get_num_threads()
        torch.set_num_threads(1)
        ready.wait()

    for started in [executor.submit(limit) for _ in range(size)]:
        started.result()
    return executor


_pool = _Pool()


def _forget_pool() -> None:
    """A forked child has the object but not its threads."""
    global _pool
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def run_parts(work: Callable[[Iterator[Part]], None], parts: Sequence[Part]) -> None:
    """Call `work` on as many threads as torch may use, each with an iterator; together these give every part once.

    The calling thread is one of them: were it to wait, the others would often be put on one core. With one thread
    allowed (`torch.set_num_threads(1)`, `OMP_NUM_THREADS=1`, a worker of a data loader) no other is started.

    Raises:
        Exception: What `work` raised, if it did; the other threads stop after the part in hand.
    """
    size = torch.get_num_threads()
    if size == 1:
        work(iter(parts))
        return
    shared, stop = iter(parts), threading.Event()

    def share() -> Iterator[Part]:
        while not stop.is_set():
            # The iterator of a sequence may be advanced by several threads: each call is a single step of Python.
            part = next(shared, None)
            if part is None:
                return
            yield part

    def work_or_stop() -> None:
        try:
            work(share())
        except BaseException:
            stop.set()
            raise

    helpers = min(size, len(parts)) - 1
    running = [_pool.get(size - 1).submit(work_or_stop) for _ in range(helpers)]
    torch.set_num_threads(1)
    kept = _pool.keep_number(size)
    try:
        work_or_stop()
        for future in running:
            future.result()
    finally:
        # Also when the caller is interrupted: nobody waits for the rest any more.
        stop.set()
        torch.set_num_threads(size)
        wait([*running, kept])
