"""Tables to divide, every way to divide them, and what each way promises."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from sightline.errors import SplitError
from sightline.samples import SampleTable
from sightline.splits import Splits, split, verify
from tests.tables import sample, samples_of

FEW = settings(max_examples=25, deadline=None)

DRAWN: list[dict[str, Any]] = [{"by": by} for by in ("random", "stratified", "group", "hash")]

WAYS: list[dict[str, Any]] = [
    *DRAWN, {"by": "auto"}, {"by": "time"}, {"by": "time", "embargo": "2d"}, {"by": "domain", "domain": "site=0"},
    {"by": "domain", "domain": "site", "fold": 1}, {"by": "stratified", "folds": 3, "fold": 1},
    {"by": "random", "folds": 2, "repeats": 2, "fold": 3}, {"by": "hash", "folds": 2, "fold": 1, "inner": 2},
    {"by": "group", "folds": 3, "fold": 2, "inner": 2, "inner_fold": 1}, {"by": "stratified", "inner": 3},
    {"by": "time", "folds": 2, "fold": 1}, {"by": "time", "folds": 2, "fold": 1, "inner": 2, "embargo": "1d"},
    {"by": "domain", "domain": "site", "inner": 2, "inner_fold": 1},
]  # fmt: skip
"""Every method, single, in folds, in folds of folds."""

TOO_SMALL = (r"leaves? .* empty|none in train|no group of|would hold|has a label|distinct times|"
             r"leaves nothing|nothing is left|each site is a fold|takes two|"
             r"has no site|hold out one site|no groups of kind")  # fmt: skip


def named(way: dict[str, Any]) -> str:
    return " ".join(f"{k}={v}" for k, v in way.items())


@st.composite
def tables(draw: st.DrawFn, min_size: int = 12) -> SampleTable:
    """Samples of three classes at three sites over thirty days, some of them in groups, some of them copies of others,
    some unlabelled."""
    drawn = st.tuples(
        st.sampled_from([0, 0, 0, 1, 1, 2, None]), st.one_of(st.none(), st.integers(0, 9)),
        st.one_of(st.none(), st.none(), st.integers(0, 5)), st.integers(0, 2), st.integers(0, 29),
    )  # fmt: skip
    rows = draw(st.lists(drawn, min_size=min_size, max_size=80))
    return samples_of([
        sample(f"s{i}", label, group=group, day=day, groups={"site": site},
               **({} if copy is None else {"pixels": f"copy {copy}"}))
        for i, (label, group, copy, site, day) in enumerate(rows)
    ])  # fmt: skip


def assigned(splits: Splits) -> dict[bytes, str | None]:
    return dict(zip(splits.table["sample_id"].to_pylist(), splits.table["split"].to_pylist(), strict=True))


def reasons(splits: Splits) -> dict[bytes, str]:
    return dict(zip(splits.table["sample_id"].to_pylist(), splits.table["reason"].to_pylist(), strict=True))


def crossing(samples: SampleTable, splits: Splits, column: str) -> list[Any]:
    """Values of a column that occur in two splits."""
    homes: dict[Any, set[str]] = {}
    names = assigned(splits)
    for i, value in zip(samples.column("sample_id"), samples.column(column), strict=True):
        if (name := names[i]) is not None and value is not None:
            homes.setdefault(value, set()).add(name)
    return [value for value, names in homes.items() if len(names) > 1]


def promise(samples: SampleTable, splits: Splits) -> None:
    """What every assignment made here must keep."""
    assert splits.table["sample_id"].to_pylist() == samples.column("sample_id")
    assert crossing(samples, splits, "group_id") == []
    assert crossing(samples, splits, "pixel_sha256") == []
    names, why = assigned(splits), reasons(splits)
    labels = dict(zip(samples.column("sample_id"), samples.column("label"), strict=True))
    in_train = {labels[i] for i in splits.train.ids}
    assert in_train == {labels[i] for i, n in names.items() if n is not None}
    assert all(why.values())
    assert all((why[i] == "unlabelled") == (labels[i] is None) for i in names)
    assert not any(names[i] for i in names if labels[i] is None)
    assert sum(splits.left_out.values()) == splits.sizes["left_out"]
    verify(samples, splits)


def split_or_refuse(samples: SampleTable, **options: Any) -> Splits | None:
    """The splits; None where the drawn table is too small, which has to be what the error says."""
    try:
        return split(samples, **options)
    except SplitError as e:
        if not re.search(TOO_SMALL, str(e), re.IGNORECASE):
            raise
        return None
