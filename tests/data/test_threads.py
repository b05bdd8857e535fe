"""Work on threads: in order, a few items ahead, errors where the result would come."""

import threading
import time
from collections.abc import Iterator

import pytest

from mgc_hf.data import threads
from mgc_hf.data.threads import count_threads, map_in_order


def test_only_a_few_items_are_in_memory_and_the_order_is_kept() -> None:
    """Reading ahead is bounded: a Parquet file's audio is never in memory as a whole."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    def doubled(number: int) -> int:
        time.sleep(0.003 * (number % 3))  # later items are done before earlier ones
        return number * 2

    got = []
    for item, result in map_in_order(doubled, items(), 2):
        assert result == 2 * item
        assert len(taken) <= item + 6
        got.append(item)
    assert got == taken == list(range(50))


def test_items_are_worked_on_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)
    assert len(list(map_in_order(lambda _: both.wait(), range(4), 2))) == 4


def test_an_error_comes_in_its_turn_and_ends_the_work() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        time.sleep(0.05 if number == 3 else 0)
        if number in (3, 4):
            raise ValueError(number)
        return number

    results = map_in_order(work, range(100), 2)
    assert [next(results)[1] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(results)
    assert max(begun) < 12
    assert list(results) == []


def test_cores_are_shared_out_among_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    assert [count_threads(processes) for processes in (1, 2, 3, 8)] == [4, 2, 1, 1]
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(96)))
    assert count_threads() == threads.MAX_THREADS
