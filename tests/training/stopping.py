"""Ways to end a training in the middle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from sightline import optimization


class Killed(BaseException):
    """What a kill is to the loop: nothing after it runs."""


def stopping(at: int, how: Callable[[], None]) -> Callable[..., Tensor]:
    """The usual update, which calls `how` when `at` updates have been made."""
    count = 0

    def step(*arguments: Any) -> Tensor:
        nonlocal count
        loss = optimization.train_step(*arguments)
        count += 1
        if count == at:
            how()
        return loss

    return step


def kill() -> None:
    raise Killed
