"""Label spaces and the maps between them, against what is known of the originals."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.catalog import label_data
from sightline.catalog.label_maps import BACKGROUND, SPACES, LabelMap, label_map, label_space, map_by_id
from sightline.errors import DataError

SIZES = {
    "imagenet-1k": 1_000, "imagenet-12k": 11_821, "imagenet-21k/fall11": 21_841, "imagenet-21k/google": 21_843,
    "imagenet-21k/microsoft": 21_842, "imagenet-21k/miil-fall11": 11_221, "imagenet-21k/miil-winter21": 10_450,
    "imagenet-a": 200, "imagenet-r": 200, "ilsvrc-vid": 30, "imagenet-1k/devkit": 1_000,
    "imagenet-1k/background": 1_001,
}  # fmt: skip


@pytest.mark.parametrize("name", SPACES)
def test_a_space_has_its_size_and_no_id_twice(name: str) -> None:
    ids = label_space(name)
    assert len(ids) == len(set(ids)) == SIZES[name]


def test_the_two_numberings_of_the_thousand() -> None:
    devkit = label_space("imagenet-1k/devkit")
    assert devkit[:3] == ("n02119789", "n02100735", "n02110185")
    to_sorted = label_map("imagenet-1k/devkit", "imagenet-1k").single()
    assert to_sorted[490 - 1] == 65  # the first val image
    assert devkit.index("n01440764") == 449 - 1
    assert sorted(to_sorted.tolist()) == list(range(1_000))
    back = label_map("imagenet-1k", "imagenet-1k/devkit").single()
    assert (back[to_sorted] == range(1_000)).all()


def test_labels_that_count_a_background_class() -> None:
    found = label_map("imagenet-1k/background", "imagenet-1k")
    assert label_space("imagenet-1k/background")[0] == BACKGROUND
    assert found.targets[0] == ()
    assert found.single().tolist() == [-1, *range(1_000)]


def test_the_val_labels_are_the_published_ones() -> None:
    labels = label_data.val_labels()
    assert labels[:5].tolist() == [65, 970, 230, 809, 516]
    assert set(Counter(labels.tolist()).values()) == {50}
    to_devkit = label_map("imagenet-1k", "imagenet-1k/devkit").single()
    assert (to_devkit[labels[:8]] + 1).tolist() == [490, 361, 171, 822, 297, 482, 13, 704]


def test_the_later_labels_of_val() -> None:
    real = label_data.real_labels()
    sizes = Counter(map(len, real))
    assert (sizes[0], sizes[1], sizes[2]) == (3_163, 39_394, 5_408)
    labels = label_data.val_labels().tolist()
    assert sum(label in found for label, found in zip(labels, real, strict=True)) == 42_164


def test_what_larger_lists_leave_out() -> None:
    assert [i for i, t in enumerate(label_map("imagenet-1k", "imagenet-21k/fall11").targets) if not t] == [850]
    assert label_space("imagenet-1k")[850] == "n04399382"
    assert sum(map(bool, label_map("imagenet-1k", "imagenet-12k").targets)) == 993
    assert sum(map(bool, label_map("imagenet-1k", "imagenet-21k/miil-fall11").targets)) == 991
    assert label_space("imagenet-21k/microsoft")[:1_000] == label_space("imagenet-1k")
    extra = set(label_space("imagenet-21k/google")) - set(label_space("imagenet-21k/fall11"))
    assert extra == {"n03931044", "n09859684"}


def test_two_subsets_of_200_are_not_the_same() -> None:
    a, r = set(label_space("imagenet-a")), set(label_space("imagenet-r"))
    assert a < set(label_space("imagenet-1k")) > r
    assert a != r
    to_a = label_map("imagenet-1k", "imagenet-a").single()
    assert (to_a >= 0).sum() == 200
    assert to_a[label_space("imagenet-1k").index("n01498041")] == 0


def test_many_to_one_is_said() -> None:
    found = LabelMap(source="x", target="y", targets=((1,), (), (1,)), num_targets=2)
    assert found.single().tolist() == [1, -1, 1]
    assert found.inverted().targets == ((), (0, 2))
    assert found.inverted().inverted() == found
    with pytest.raises(DataError, match=r"1 classes of y have several .* \(class 1 has \(0, 2\)\)"):
        found.inverted().single()
    assert repr(found) == "x → y: 2 of 3 classes, to 2"
    assert map_by_id("x", ("a", "b"), "y", ("b",)).targets == ((), (0,))


@settings(max_examples=60, deadline=None)
@given(st.permutations("abcdefgh"), st.permutations("cdefghij"))
def test_a_map_by_id_finds_equal_ids_and_nothing_else(source: list[str], target: list[str]) -> None:
    found = map_by_id("x", source, "y", target)
    for i, native in enumerate(source):
        assert [target[j] for j in found.targets[i]] == ([native] if native in target else [])
    assert found.inverted() == map_by_id("y", target, "x", source)


def test_an_unknown_space() -> None:
    with pytest.raises(DataError, match="Did you mean 'imagenet-21k/google'"):
        label_space("imagenet-21k/goog")
