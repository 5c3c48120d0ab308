from __future__ import annotations

import os
import signal
import threading

import pytest

from sightline.training.interruption import Interruption


def _interrupted(*signals: int) -> None:
    with Interruption() as interruption:
        assert not interruption.is_wished
        for number in signals:
            os.kill(os.getpid(), number)
            assert interruption.is_wished
        interruption.leave()


def _signalled_twice() -> None:
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.is_wished
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second signal was swallowed")


def test_the_first_signal_is_a_wish_and_the_second_acts() -> None:
    with pytest.raises(KeyboardInterrupt):
        _signalled_twice()


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_leaving_follows_the_signal(number: int, error: type[BaseException]) -> None:
    with pytest.raises(error) as caught:
        _interrupted(number)
    if error is SystemExit:
        assert caught.value.code == 143  # type: ignore[attr-defined]


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def work() -> None:
        with Interruption():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_signal_that_the_process_was_told_to_ignore_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        assert not interruption.is_wished
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
