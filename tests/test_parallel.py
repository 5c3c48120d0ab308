"""Work on all cores: in order, little of it waiting, one thread of BLAS and OpenMP each, and nothing stays set."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sightline.parallel import in_order, one_thread

threadpoolctl = pytest.importorskip("threadpoolctl", reason="the extra `audit` is not installed")
pytest.importorskip("faiss", reason="the extra `audit` is not installed")  # brings OpenMP, and a BLAS of its own


def numbers() -> dict[str, set[int]]:
    """How many threads the libraries of each kind may use, asked from this thread."""
    found: dict[str, set[int]] = {}
    for library in threadpoolctl.ThreadpoolController().info():
        found.setdefault(library["user_api"], set()).add(library["num_threads"])
    return found


@pytest.fixture(autouse=True)
def _three_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Three cores and three threads for each library, whatever the machine has."""
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    with threadpoolctl.ThreadpoolController().limit(limits=3):
        assert numbers() == {"blas": {3}, "openmp": {3}}
        yield


def test_results_come_in_order_whatever_takes_long() -> None:
    def slow(i: int) -> int:
        time.sleep(0.01 * (i % 3 == 0))
        return 10 * i

    for count in (0, 1, 5, 40):
        assert list(in_order(slow, range(count))) == [10 * i for i in range(count)]


def test_each_thread_computes_alone_and_the_caller_as_before() -> None:
    seen: list[tuple[int, dict[str, set[int]]]] = []
    list(in_order(lambda i: seen.append((threading.get_ident(), numbers())), range(12)))
    assert all(found == {"blas": {1}, "openmp": {1}} for _, found in seen)
    assert threading.get_ident() not in dict(seen)
    assert numbers() == {"blas": {3}, "openmp": {3}}


def test_settings_of_the_caller_are_put_back() -> None:
    with threadpoolctl.ThreadpoolController().limit(limits=2, user_api="openmp"):
        before = numbers()
        with one_thread():
            assert numbers() == {"blas": {1}, "openmp": {1}}
            list(in_order(lambda i: i, range(3)))
            assert numbers() == {"blas": {1}, "openmp": {1}}
        assert numbers() == before


def test_no_more_is_under_way_than_two_for_each_thread() -> None:
    begun: list[int] = []
    results = in_order(begun.append, range(50))
    for taken in range(1, 6):
        next(results)
        time.sleep(0.02)
        assert len(begun) <= taken + 6
    results.close()  # type: ignore[attr-defined]
    assert len(begun) < 50
    assert numbers() == {"blas": {3}, "openmp": {3}}


def test_an_error_cancels_what_has_not_begun() -> None:
    begun: list[int] = []

    def work(i: int) -> Any:
        begun.append(i)
        time.sleep(0.05)
        if i == 0:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(in_order(work, range(100)))
    count = len(begun)
    time.sleep(0.1)
    assert len(begun) == count < 6 + 1
    assert numbers() == {"blas": {3}, "openmp": {3}}
