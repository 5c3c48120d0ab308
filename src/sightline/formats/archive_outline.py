"""What decides how an archive of class folders is read: its folders, and whether images lie at its top."""

from __future__ import annotations

from sightline.formats.class_tree import IMAGE_SUFFIXES, is_hidden, suffix_of
from sightline.formats.listing import split_of
from sightline.formats.members import Members
from sightline.formats.records import split_in

SOME = 1000
"""Files at the top of an archive that are remembered: so many tell what a million would."""
MOST_FOLDERS = 500
"""Folders inside one another."""


class TooDeepError(Exception):
    """Folders inside one another that are no dataset; who knows the source says so."""


class Outline:
    """What decides how an archive is read: its folders, and of each a file and an image, if it has them."""

    def __init__(self) -> None:
        self.files: dict[str, list[str]] = {}
        self.tops: set[str] = set()
        self.notes: list[str] = []
        self._with_image: set[str] = set()

    def add(self, members: Members) -> None:
        """Look at members that were found."""
        for folder in members.folders:
            self._enter(folder)
        for name in members.names:
            folder, _, own = name.rpartition("/")
            if folder in self._with_image:
                continue
            if folder not in self.files:
                self._enter(folder)
            if is_hidden(own):
                continue
            is_image, some = suffix_of(own) in IMAGE_SUFFIXES, self.files[folder]
            if (is_image or not some) and len(some) < SOME:
                some.append(own)
            if is_image and folder:
                self._with_image.add(folder)
            if not folder and (len(self.tops) < SOME or split_of(own)):
                self.tops.add(own)
        self.notes += members.notes

    def _enter(self, folder: str) -> None:
        """Know a folder, and those above it."""
        if folder.count("/") > MOST_FOLDERS:
            raise TooDeepError
        while folder not in self.files:
            self.files[folder] = []
            folder, _, name = folder.rpartition("/")
            if not folder and name and not is_hidden(name):
                self.tops.add(name)

    def prefix(self, file: str, suffix: str) -> str:
        """What stands before the names of one archive among several: its folder on disk, and its own name if it tells.

        `train.tar` is the folder train, and `cat.tar` with nothing but images the folder cat. Archives of other names
        that hold folders are parts of one tree.
        """
        above, _, name = file.rpartition("/")
        above = f"{above}/" if above else ""
        stem = name[: -len(suffix)] if name.lower().endswith(suffix) else name
        if self.tops == {stem}:
            return above
        is_flat = any(suffix_of(own) in IMAGE_SUFFIXES for own in self.files.get("", ()))
        split = stem if split_of(stem) else split_in(stem)
        if split is not None and not above and (is_flat or not any(split_of(top) for top in self.tops)):
            return f"{split}/"
        return f"{above}{stem}/" if is_flat else above
