"""Files of many samples each: of every split its own, and a new one where the last is full."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar


class Shard(Protocol):
    """A file being written."""

    num_bytes: int
    """Written or waiting so far."""

    def close(self) -> None:
        """Complete the file."""
        ...

    def abandon(self) -> None:
        """Let go of the file as it is."""
        ...


S = TypeVar("S", bound=Shard)


class SplitShards(Generic[S]):
    """Shards of all splits, by number: `begin(path, name)` opens the one that `name(split, number)` says.

    A shard takes no further sample that would make it larger than `limit` bytes.
    """

    def __init__(
        self, folder: Path, begin: Callable[[Path, str], S], name: Callable[[str, int], str], limit: int
    ) -> None:
        self._folder, self._begin, self._name, self._limit = folder, begin, name, limit
        self._open: dict[str, S] = {}
        self._counts: dict[str, int] = {}

    @property
    def num_shards(self) -> int:
        """Shards begun so far."""
        return sum(self._counts.values())

    def of(self, split: str, num_bytes: int) -> S:
        """The shard that takes the next sample of a split, which needs so many bytes."""
        shard = self._open.get(split)
        if shard is not None and shard.num_bytes and shard.num_bytes + num_bytes > self._limit:
            shard.close()
            shard = None
        if shard is None:
            number = self._counts.get(split, 0)
            self._counts[split] = number + 1
            name = self._name(split, number)
            (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
            shard = self._open[split] = self._begin(self._folder / name, name)
        return shard

    def close(self) -> None:
        """Complete the last shard of every split."""
        for shard in self._open.values():
            shard.close()
        self._open.clear()

    def abandon(self) -> None:
        """Let go of what is open; the folder is about to be deleted."""
        for shard in self._open.values():
            shard.abandon()
        self._open.clear()

    def counted(self) -> dict[str, str]:
        """Old name → name that says how many shards its split has; the files are moved."""
        moved = {}
        for split, count in self._counts.items():
            for number in range(count):
                old = self._name(split, number)
                head, dot, suffix = old.rpartition(".")
                moved[old] = f"{head}-of-{count:05d}{dot}{suffix}"
                (self._folder / old).rename(self._folder / moved[old])
        return moved


class Sharded(Generic[S]):
    """What targets of shards have in common; a subclass sets `_shards`."""

    _shards: SplitShards[S]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shards.abandon()

    @property
    def num_shards(self) -> int:
        """Files that hold many images each."""
        return self._shards.num_shards

    def finish(self) -> Mapping[str, str]:
        """Complete all shards, where they are."""
        self._shards.close()
        return {}


class StreamShard:
    """A shard that is written from its beginning to its end."""

    def __init__(self, path: Path, name: str, end: bytes = b"") -> None:
        self.name, self.num_bytes, self._end = name, 0, end
        self._file = path.open("wb")

    def append(self, data: bytes) -> int:
        """Write some bytes, and return where they begin."""
        start = self.num_bytes
        self._file.write(data)
        self.num_bytes += len(data)
        return start

    def close(self) -> None:
        """Write the end, and see that it is on disk."""
        self._file.write(self._end)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        with suppress(OSError):  # what could not be flushed is the error that is under way
            self._file.close()
