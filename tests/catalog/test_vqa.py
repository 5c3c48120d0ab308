"""VQA v2: the vocabulary is train's alone, scores are soft, and pairs tie photographs together."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.catalog.vqa_answers import LEAST, normalised, scores, soft_score, vocabulary
from sightline.errors import DataError
from sightline.indexing import index
from sightline.samples import SampleTable
from tests.sources import jpeg, write_files

TEN = ["yes"] * 10


def question(image: int, number: int = 0, text: str = "Is it?") -> dict[str, Any]:
    return {"image_id": image, "question_id": image * 1000 + number, "question": text}


def annotation(q: dict[str, Any], answers: list[str], kind: str = "yes/no") -> dict[str, Any]:
    listed = [{"answer": a, "answer_confidence": "yes", "answer_id": i} for i, a in enumerate(answers, 1)]
    return {"question_type": "is it", "multiple_choice_answer": max(answers, key=answers.count), "answers": listed,
            "image_id": q["image_id"], "answer_type": kind, "question_id": q["question_id"]}  # fmt: skip


def write(folder: Path, where: str, asked: list[dict[str, Any]], answered: list[dict[str, Any]] | None = None,
          pairs: list[list[int]] | None = None, images: bool = True) -> None:  # fmt: skip
    files = {f"v2_OpenEnded_mscoco_{where}_questions.json": {"questions": asked}}
    files |= {} if answered is None else {f"v2_mscoco_{where}_annotations.json": {"annotations": answered}}
    write_files(folder, {name: json.dumps(value).encode() for name, value in files.items()})
    if pairs is not None:
        write_files(folder, {f"v2_mscoco_{where}_complementary_pairs.json": json.dumps(pairs).encode()})
    ids = sorted({q["image_id"] for q in asked}) if images else []
    write_files(folder, {f"{where}/COCO_{where}_{i:012d}.jpg": jpeg(i) for i in ids})


def vqa(folder: Path, *, train_images: bool = True) -> Path:
    """Train teaches `yes` and `2`; val knows `unicorn` nine times, which is no class for it."""
    asked = [question(1, n) for n in range(LEAST)] + [question(2, n) for n in range(LEAST)]
    answers = [TEN] * LEAST + [["two"] * 6 + ["2"] * 3 + ["yes"]] * LEAST
    write(folder, "train2014", asked[::-1], [annotation(q, a) for q, a in zip(asked, answers, strict=True)],
          images=train_images)  # fmt: skip
    asked = [question(30, n) for n in range(LEAST)] + [question(31), question(32)]
    answers = [["unicorn"] * 10] * LEAST + [["2"] * 3 + ["yes"] * 2 + ["a unicorn"] * 5, ["Yes."] * 4 + ["no"] * 6]
    write(folder, "val2014", asked, [annotation(q, a, "other") for q, a in zip(asked, answers, strict=True)],
          pairs=[[30_000, 31_000]])  # fmt: skip
    return folder


def answers_of(samples: SampleTable, key: str) -> dict[str, float]:
    entries = samples.column("labels")[samples.column("key").index(key)]
    return {samples.classes.ids[e["id"]]: pytest.approx(e["score"], abs=1e-6) for e in entries}


def test_a_sample_is_a_question_about_a_photograph(tmp_path: Path) -> None:
    samples = index(vqa(tmp_path))
    keys = samples.column("key")
    assert keys == [f"train/{i}00{n}" for i in (1, 2) for n in range(9)] + [f"val/3000{n}" for n in range(9)] + [
        "val/31000", "val/32000"]  # fmt: skip
    assert samples.name == "vqa-v2"
    assert samples.column("image")[0]["path"] == "train2014/COCO_train2014_000000000001.jpg"
    assert samples.is_ok.all()
    told = json.loads(samples.column("extra")[keys.index("val/31000")])
    assert (told["question"], told["answer_type"], told["question_type"]) == ("Is it?", "other", "is it")
    assert told["answers"].count("a unicorn") == 5
    assert told["most_frequent"] == "unicorn"


def test_the_vocabulary_is_taken_from_train_alone(tmp_path: Path) -> None:
    samples = index(vqa(tmp_path))
    assert (samples.classes.ids, samples.classes.policy) == (("2", "yes"), "lexicographic")
    # A question whose answers are no class stays, and no class is right for it.
    assert samples.column("labels")[18:27] == [[]] * 9
    assert samples.column("label") == [None] * len(samples)
    assert "9 questions of val whose answers are no class" in samples.notes


def test_scores_are_those_of_the_normalised_answers(tmp_path: Path) -> None:
    samples = index(vqa(tmp_path))
    assert answers_of(samples, "train/1000") == {"yes": 1.0}
    assert answers_of(samples, "train/2000") == {"2": 1.0, "yes": 0.3}
    assert answers_of(samples, "val/31000") == {"2": 0.9, "yes": 0.6}
    assert answers_of(samples, "val/32000") == {"yes": 1.0}


def test_photographs_and_complementary_pairs_are_groups(tmp_path: Path) -> None:
    samples = index(vqa(tmp_path))
    group = dict(zip(samples.column("key"), samples.column("group_id"), strict=True))
    assert group["train/1000"] == group["train/1008"] != group["train/2000"]
    assert group["val/30000"] == group["val/31000"] == group["val/30008"]  # through the pair, all of both photographs
    assert group["val/32000"] not in {group["val/31000"], group["train/1000"]}
    assert samples.column("groups")[0] == [{"kind": "image", "id": "coco/1"}]  # the same words as COCO's own reader


def test_train_teaches_the_vocabulary_without_its_photographs(tmp_path: Path) -> None:
    samples = index(vqa(tmp_path, train_images=False))
    assert set(samples.column("split")) == {"val"}
    assert samples.classes.ids == ("2", "yes")
    assert "not read, their photographs are not here: train2014" in samples.notes


def test_without_train_there_is_no_vocabulary(tmp_path: Path) -> None:
    for file in vqa(tmp_path).glob("*train2014*.json"):
        file.unlink()
    samples = index(tmp_path)
    assert len(samples.classes) == 0
    assert any(note.startswith("no classes") for note in samples.notes)


def test_test_has_questions_and_no_answers(tmp_path: Path) -> None:
    vqa(tmp_path)
    write(tmp_path, "test2015", [question(501) | {"question_id": 7}, question(500, 1), question(500)])
    write_files(tmp_path, {"v2_OpenEnded_mscoco_test-dev2015_questions.json":
                           json.dumps({"questions": [question(500, 1)]}).encode()})  # fmt: skip
    samples = index(tmp_path)
    assert samples.column("key")[-3:] == ["test/500000", "test/500001", "test/7"]  # questions of an image together
    assert samples.column("labels")[-3:] == [None] * 3
    (tmp_path / "v2_OpenEnded_mscoco_test2015_questions.json").unlink()
    assert index(tmp_path).column("key")[-1] == "test/500001"


def test_files_in_folders_and_images_below(tmp_path: Path) -> None:
    vqa(tmp_path)
    for file in tmp_path.glob("*.json"):
        place = tmp_path / ("Questions" if "questions" in file.name else "Annotations")
        place.mkdir(exist_ok=True)
        file.rename(place / file.name)
    (tmp_path / "images").mkdir()
    (tmp_path / "val2014").rename(tmp_path / "images" / "val2014")
    samples = index(tmp_path)
    assert len(samples) == 29
    assert samples.column("image")[-1]["path"] == "images/val2014/COCO_val2014_000000000032.jpg"


def test_no_photographs_at_all(tmp_path: Path) -> None:
    write(tmp_path, "val2014", [question(1)], images=False)
    with pytest.raises(DataError, match="none of the photographs"):
        index(tmp_path)


def test_a_lost_photograph_is_unreadable_for_all_its_questions(tmp_path: Path) -> None:
    vqa(tmp_path)
    (tmp_path / "train2014" / "COCO_train2014_000000000002.jpg").unlink()
    samples = index(tmp_path)
    assert samples.column("reason")[8:10] == [None, "file is missing: COCO_train2014_000000000002.jpg"]
    assert (~samples.is_ok).sum() == 9


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("v2_mscoco_val2014_complementary_pairs.json", [[1, 2, 3]], "no pair of question ids"),
        ("v2_mscoco_val2014_complementary_pairs.json", {"a": 1}, "wanted a list of pairs"),
        ("v2_mscoco_val2014_annotations.json", {"annotations": [annotation(question(30), TEN) | {"answers": [5]}]},
         "an answer that is no text"),
        ("v2_mscoco_val2014_annotations.json", {}, "no list 'annotations'"),
        ("v2_OpenEnded_mscoco_val2014_questions.json", {"questions": [{"question_id": 5}]}, "image_id = None"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_what_it_says(tmp_path: Path, name: str, value: Any, message: str) -> None:
    write_files(vqa(tmp_path), {name: json.dumps(value).encode()})
    with pytest.raises(DataError, match=message):
        index(tmp_path)


@pytest.mark.parametrize(
    ("answer", "same"),
    [("The  Dog", "dog"), ("none", "0"), ("Two cats", "2 cats"), ("yes.", "yes"), ("2.5", "2.5"), ("1,000", "1000"),
     ("black/white", "black white"), ("black / white", "black  white".replace("  ", " ")), ("dont know", "don't know"),
     ("t-shirt", "t shirt"), ("a", ""), ("o clock", "o clock"), ("1,000-2", "10002")],
)  # fmt: skip
def test_spellings_of_one_answer(answer: str, same: str) -> None:
    assert normalised(answer) == same


@given(st.text(max_size=20))
@settings(max_examples=50)
def test_normalised_text_has_single_blanks(text: str) -> None:
    assert normalised(text) == " ".join(normalised(text).split())


@pytest.mark.parametrize("total", [10, 3, 1])
def test_a_score_is_the_expected_accuracy_over_those_left_out(total: int) -> None:
    for matching in range(total + 1):
        people = [True] * matching + [False] * (total - matching)
        kept = list(combinations(people, total - 1))
        expected = sum(min(1.0, sum(others) / 3) for others in kept) / len(kept)
        assert soft_score(matching, total) == pytest.approx(expected)
    if total == 10:
        assert [round(soft_score(k), 6) for k in range(6)] == [0, 0.3, 0.6, 0.9, 1, 1]


def test_no_answers_no_scores() -> None:
    assert scores([]) == {}
    assert soft_score(0, 0) == 0
    assert vocabulary(["a"] * 20 + ["Yes"] * 5 + ["yes."] * 4) == ("yes",)
