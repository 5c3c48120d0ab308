"""What a signal means to a training."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Interruption:
    """Turns the first SIGINT or SIGTERM into a wish to stop after the update; a second one acts at once.

    Outside the main thread signals are left alone, and so is a signal that whoever started the process has it ignore
    (SIGINT of a shell's background jobs).
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            heard = [s for s in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(s) is not signal.SIG_IGN]
            self._before = {s: signal.signal(s, self._note) for s in heard}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        for s, handler in self._before.items():
            signal.signal(s, handler)  # type: ignore[arg-type]

    @property
    def is_wished(self) -> bool:
        """Whether a signal has arrived."""
        return self.signal is not None

    def leave(self) -> None:
        """Leave the training the way the signal asks: KeyboardInterrupt, or exit code 143 for SIGTERM."""
        if self.signal == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        raise KeyboardInterrupt
