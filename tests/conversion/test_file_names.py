"""Names of files: the source's own where they can be, and none that leads elsewhere or is left out by a reader."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sightline.conversion.file_names import FileNames, folder_name
from sightline.conversion.target import Item


def item(key: str, ordinal: int = 0, codec: str = "jpeg", **known: Any) -> Item:
    return Item(ordinal=ordinal, payload=b"", codec=codec, is_made=known.get("is_made", False), row={"key": key},
                class_id=None)  # fmt: skip


@pytest.mark.parametrize(
    ("below", "key", "name"),
    [
        ("train/cat/", "train/cat/deep/er/1.JPG", "train/cat/deep/er/1.JPG"),
        ("cat/", "train/dog/1.jpg", "cat/1.jpg"),
        ("cat/", "00042", "cat/00042.jpg"),
        ("cat/", "cat/photo.v2.jpg", "cat/photo.v2.jpg"),
        ("cat/", "cat/photo.v2", "cat/photo.v2.jpg"),
        ("cat/", "cat/page.html", "cat/page.html.jpg"),
        ("cat/", "cat/../../etc/x.jpg", "cat/x.jpg"),
        ("cat/", "cat/.hidden/x.jpg", "cat/x.jpg"),
        ("cat/", "cat/._x.jpg", "cat/%2E_x.jpg"),
        ("cat/", "cat/..", "cat/%2E..jpg"),
        ("cat/", "cat/", "cat/%.jpg"),
        ("cat/", "a\\b:c\n%.jpg", "cat/a%5Cb:c%0A%25.jpg"),
        ("cat/", "cat/.jpg", "cat/%2Ejpg.jpg"),
        ("cat/", "//x.jpg", "cat/x.jpg"),
        ("ü/", "ü/ä ö.jpeg", "ü/ä ö.jpeg"),
    ],
)
def test_keys_become_paths(below: str, key: str, name: str) -> None:
    assert FileNames().of(below, item(key)) == name


def test_an_image_made_anew_has_the_suffix_of_what_it_is() -> None:
    assert FileNames().of("a/", item("a/x.jpg", codec="png", is_made=True)) == "a/x.png"
    assert FileNames().of("a/", item("a/x.png", codec="png", is_made=True)) == "a/x.png"
    assert FileNames().of("a/", item("a/x.gif", codec="gif")) == "a/x.gif"
    assert FileNames().of("a/", item("a/x.jpg", codec="png")) == "a/x.jpg"


def test_no_path_is_given_twice() -> None:
    names = FileNames()
    keys = ["a/x.jpg", "b/x.jpg", "a/X.JPG", "a/é.jpg", "a/é.jpg"]
    found = [names.of("a/", item(key, i)) for i, key in enumerate(keys)]
    assert found == ["a/x.jpg", "a/x-00000001.jpg", "a/X-00000002.JPG", "a/é.jpg", "a/é-00000004.jpg"]


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_a_folder_name_is_one_plain_component(text: str) -> None:
    name = folder_name(text)
    assert PurePosixPath(name).name == name
    assert not name.startswith(".")
    assert 0 < len(name.encode()) <= 255
    assert not set(name) & set("/\\\0\n")


@example(["", "\0", "%00", "%"])
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), unique=True, max_size=8))
def test_two_classes_never_share_a_folder(ids: list[str]) -> None:
    assert len({folder_name(i) for i in ids}) == len(ids)
