"""Annotations with anything anywhere: a message or rows, never another error."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.errors import DataError
from sightline.indexing import index
from sightline.samples import SampleTable
from tests.catalog import test_ade20k as ade20k
from tests.catalog import test_coco as coco
from tests.catalog import test_vqa as vqa

Place = tuple[Any, ...]

ODD = st.sampled_from([None, True, 0, -1, 7, 2**70, 1e308, float("nan"), "", "\ud800", "../../x", "a" * 300, [], [[]],
                       ["x"], [None, 1], {}, {"x": 1}])  # fmt: skip


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where there is something in a JSON value."""
    yield at
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*at, key))


def mangled(value: Any, at: Place, odd: Any) -> Any:
    """The value with something else in a place."""
    if not at:
        return odd
    changed = copy.deepcopy(value)
    holder = changed
    for key in at[:-1]:
        holder = holder[key]
    holder[at[-1]] = odd
    return changed


def indexed(folder: Path, view: str = "") -> SampleTable | None:
    try:
        samples = index(f"{folder}{view}")
    except DataError:
        return None
    assert len(samples) == len(set(samples.column("key")))
    return samples


SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
VQA = {"annotations": [vqa.annotation(vqa.question(30), vqa.TEN)]}
FULL = json.loads(ade20k.description(ade20k.STREET, ade20k.thing(4, "x")))


@given(at=st.sampled_from(sorted(places(coco.VAL), key=repr)), odd=ODD, view=st.sampled_from(["", "#crops"]))
@SETTINGS
def test_instances_of_coco(tmp_path: Path, at: Place, odd: Any, view: str) -> None:
    if not (tmp_path / "val2017").is_dir():
        assert indexed(coco.coco(tmp_path, instances_val2017=coco.VAL)) is not None
    file = tmp_path / "annotations" / "instances_val2017.json"
    file.write_text(json.dumps(mangled(coco.VAL, at, odd)))
    indexed(tmp_path, view)


@given(at=st.sampled_from(sorted(places(VQA), key=repr)), odd=ODD)
@SETTINGS
def test_answers_of_vqa(tmp_path: Path, at: Place, odd: Any) -> None:
    if not (tmp_path / "val2014").is_dir():
        vqa.vqa(tmp_path)
    (tmp_path / "v2_mscoco_val2014_annotations.json").write_text(json.dumps(mangled(VQA, at, odd)))
    indexed(tmp_path)


@given(at=st.sampled_from(sorted(places(FULL), key=repr)), odd=ODD)
@SETTINGS
def test_descriptions_of_ade20k(tmp_path: Path, at: Place, odd: Any) -> None:
    if not (tmp_path / "images").is_dir():
        plain = ade20k.description(["a"])
        ade20k.full(tmp_path, train_1=plain, train_2=plain, train_3=plain)
    first = tmp_path / "images/ADE/training/urban/street/ADE_train_1.json"
    first.write_text(json.dumps(mangled(FULL, at, odd)))
    samples = indexed(tmp_path)
    assert samples is not None  # one bad description is one row
    assert samples.is_ok[1:].all()


@pytest.mark.parametrize("value", [{"a": [1, {"b": 2}]}])
def test_places_are_all_of_them(value: Any) -> None:
    assert list(places(value)) == [(), ("a",), ("a", 0), ("a", 1), ("a", 1, "b")]
    assert mangled(value, ("a", 1, "b"), 5) == {"a": [1, {"b": 5}]}
