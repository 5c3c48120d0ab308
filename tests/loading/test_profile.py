"""The loading profile: what it measures, what it says of it, and the picture."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import sightline as sl
from sightline import augmentation
from sightline.errors import ContractError
from sightline.loading import Batch, Loader, bars, profile
from sightline.loading.profile import ADVICE, CROWDED, STARVED, WORK, Pass, Profile
from sightline.loading.stages import Stages
from sightline.preprocessing import Preprocessing
from tests.conftest import save_photo
from tests.loading.tables import table_of_files

PHOTO = Preprocessing(size=(24, 24), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), resize_to=26)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> sl.SampleTable:
    folder = tmp_path_factory.mktemp("photos")
    for i in range(48):
        save_photo(folder / f"{i:02d}.jpg", i, size=(60, 50))
    return table_of_files(folder, [f"{i:02d}.jpg" for i in range(48)])


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "BUDGET_S", 0.3)


def loader_of(samples: sl.SampleTable, **change: Any) -> Loader:
    facts = {"preprocessing": PHOTO, "augmentation": augmentation.photograph(24), "batch_size": 8, "threads": 1}
    return Loader(samples, **{**facts, **change})


def test_stages_are_measured_and_later_epochs_decode_nothing_where_images_are_kept(samples: sl.SampleTable) -> None:
    made = sl.profile(loader_of(samples))
    assert all(made.first.stages_s[stage] > 0 for stage in WORK)
    assert all(made.first.stages_cpu_s[stage] > 0 for stage in ("decode", "transform"))
    assert (made.later.stages_s["read"], made.later.stages_s["decode"]) == (0, 0)
    assert made.later.stages_s["transform"] > 0
    assert made.first.num_images % 8 == 0
    assert made.is_starved is None
    assert made.update_images_per_s is None


class Counting(Stages):
    """Stages that count how often each was entered."""

    def __init__(self) -> None:
        super().__init__()
        self.entered: Counter[str] = Counter()

    def __call__(self, stage: str) -> AbstractContextManager[None]:
        self.entered[stage] += 1
        return super().__call__(stage)


@pytest.mark.parametrize(("share", "decoded"), [(1.0, 0), (0.5, 24), (0.0, 48)])
def test_the_cache_of_a_few_samples_is_their_share_of_the_whole(
    samples: sl.SampleTable, share: float, decoded: int
) -> None:
    """Images of 9,000 bytes: what does not fit is decoded again in later epochs, in the same proportion."""
    whole = loader_of(samples, cache_bytes=int(share * 48 * 9000))
    for part, expected in ((samples, decoded), (samples.take(range(0, 48, 2)), decoded // 2)):
        stages = Counting()
        loader = whole.over(part, stages=stages)
        profile._loaded(loader, stages, 0)
        first = stages.entered["decode"]
        profile._loaded(loader, stages, 1)
        assert (first, stages.entered["decode"] - first) == (len(part), expected)


def test_a_slow_step_is_fed(samples: sl.SampleTable) -> None:
    seen: list[int] = []

    def step(batch: Batch) -> None:
        seen.append(len(batch))
        time.sleep(0.05)

    made = sl.profile(loader_of(samples), step)
    assert made.is_starved is False
    assert made.verdict.startswith("training is fed")
    assert made.todo == ""
    assert set(seen) == {8}
    assert made.update_images_per_s is not None
    assert made.update_images_per_s < 8 / 0.05


def test_a_loader_slower_than_its_step_starves_it(samples: sl.SampleTable) -> None:
    """Nothing is prepared ahead without threads, so a step that takes no time waits nearly always."""
    made = sl.profile(loader_of(samples, threads=0), lambda batch: None)
    assert made.is_starved is True
    assert made.verdict.startswith("training is starved")
    assert made.later.wait_share is not None
    assert made.later.wait_share > 0.5
    assert made.todo in {CROWDED, *ADVICE.values()}


def test_an_evaluation_loader_has_no_profile(samples: sl.SampleTable) -> None:
    with pytest.raises(ContractError, match="training loader"):
        sl.profile(Loader(samples, preprocessing=PHOTO, batch_size=8))


def test_the_profiled_loader_stays_where_it_was(samples: sl.SampleTable) -> None:
    loader = loader_of(samples)
    next(loader.epoch(3))
    before = loader.state
    sl.profile(loader)
    assert loader.state == before


def passed(wait: float, **stages: float) -> Pass:
    spent = {**dict.fromkeys(WORK, 0.1), **stages}
    return Pass(num_images=1000, loading_s=2.0, stages_s=spent, stages_cpu_s=spent, loop_s=1.0, wait_s=wait,
                loop_images=400)  # fmt: skip


def profiled(first: float, later: float, **stages: float) -> Profile:
    return Profile(title="t", first=passed(first), later=passed(later, **stages), update_images_per_s=900.0)


@pytest.mark.parametrize(
    ("first", "later", "said"),
    [
        (0.5, 0.4, "training is starved: the loop waits 40.0 % of its time; the loader gives 500 images/s, updates "
                   "take 900 images/s"),
        (0.5, 0.0, "training is fed after the first epoch, which waits 50.0 %: the loop waits 0.0 %"),
        (0.01, STARVED, "training is fed: the loop waits 10.0 %"),
    ],
)  # fmt: skip
def test_verdicts(first: float, later: float, said: str) -> None:
    assert profiled(first, later).verdict.startswith(said)


def test_a_fast_loader_that_is_waited_for_lacks_cores() -> None:
    made = replace(profiled(0.5, 0.3), update_images_per_s=249.0)
    assert made.is_starved
    assert made.is_crowded
    assert made.verdict.startswith("training is starved of cores: the loop waits 30.0 %")
    assert made.todo == CROWDED
    assert not replace(made, update_images_per_s=251.0).is_crowded
    assert not replace(profiled(0.5, 0.05), update_images_per_s=249.0).is_crowded


@pytest.mark.parametrize("stage", WORK)
def test_advice_is_about_the_costliest_stage(stage: str) -> None:
    made = profiled(0.5, 0.5, **{stage: 3.0})
    assert made.costliest == stage
    assert made.todo == ADVICE[stage]
    assert made.todo in str(made)


def test_table_and_json() -> None:
    made = profiled(0.2, 0.05, decode=1.2)
    assert made.table() == [
        "ms per image and thread    first epoch     later",
        "read                               0.1       0.1",
        "decode                             0.1       1.2",
        "transform                          0.1       0.1",
        "collate                            0.1       0.1",
        "loader alone, images/s             500       500",
        "updates alone, images/s                      900",
        "loop waits for a batch          20.0 %     5.0 %",
    ]
    facts = made.to_json()
    assert facts["later"]["ms_per_image"]["decode"] == pytest.approx(1.2)
    assert facts["later"]["loop_images_per_s"] == 400
    assert (facts["is_starved"], facts["verdict"]) == (False, made.verdict)


def test_the_picture_is_one_document_that_says_the_same_in_words() -> None:
    made = profiled(0.5, 0.5, decode=2.0)
    root = ET.fromstring(made.svg())
    space = "{http://www.w3.org/2000/svg}"
    words = " ".join(root.find(f"{space}desc").itertext())  # type: ignore[union-attr]
    assert "later epochs: read 0.1, decode 2, transform 0.1, collate 0.1 500 images/s" in words
    assert made.verdict[1:] in words
    outside = [v for e in root.iter() for k, v in e.attrib.items() if k.endswith(("href", "src")) or "url(" in v]
    assert outside == []
    drawn = [float(r.attrib["width"]) for r in root.iter(f"{space}rect") if r.attrib.get("height") == str(bars.BAR)]
    assert len(drawn) == 2 * len(WORK) + 2 * 2
    by_stage = dict(zip(WORK, drawn[len(WORK) : 2 * len(WORK)], strict=True))
    assert by_stage["decode"] == pytest.approx(20 * by_stage["read"], rel=0.02)


def test_names_in_the_picture_are_text() -> None:
    drawn = bars.svg("<b>", "a & b", [bars.Chart(title="x", unit="ms", bars=(bars.Bar(name="<i>", parts={}),))], "")
    texts = [e.text for e in ET.fromstring(drawn).iter() if e.tag.endswith("text")]
    assert {"<b>", "a & b", "<i>"} <= set(texts)


def test_long_words_below_are_wrapped() -> None:
    lines = bars._lines("one two three four", 9)
    assert lines == ["one two", "three", "four"]


@pytest.mark.parametrize(("value", "said"), [(0, "0"), (0.123, "0.12"), (9.96, "10"), (41.7, "42"), (1234.6, "1,235")])
def test_numbers(value: float, said: str) -> None:
    assert bars.number(value) == said


def test_rows_are_spread_over_the_table(samples: sl.SampleTable) -> None:
    rows = profile._some(loader_of(samples, batch_size=4))
    assert len(rows) == len(set(rows.tolist()))
    assert rows[0] == 0
    assert rows[-1] == 47
    assert np.all(np.diff(rows) > 0)
