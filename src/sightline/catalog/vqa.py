"""VQA v2: questions about COCO's photographs, each with the answers of ten people."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sightline.catalog.annotations import (
    TextFile,
    clean,
    counted,
    extra,
    label_of,
    read_json,
    read_object,
    records,
    repeated,
)
from sightline.catalog.card import Card, PublishedFile
from sightline.catalog.vqa_answers import LEAST, normalised, scores, vocabulary
from sightline.catalog.zips import images_in, place_of, texts_in
from sightline.errors import DataError
from sightline.formats.listing import SPLIT_ORDER, Attributes, Format, Listing, joined, split_of

QUESTIONS = {"question_id": int, "image_id": int, "question": str}
ANSWERS = {"question_id": int, "answers": list, "multiple_choice_answer": str, "answer_type": str}

_FILE = re.compile(
    r"v2_(?:OpenEnded_)?mscoco_(train|val|test|test-dev)(\d{4})_(questions|annotations|complementary_pairs)\.json"
)
_ARCHIVE = re.compile(r"v2_.*_mscoco\.zip")
_FOLDERS = frozenset(["questions", "annotations", "vqa", "vqa_v2", "vqav2", "v2", "pairs", "complementary_pairs"])


@dataclass(frozen=True, kw_only=True)
class Part:
    """The files about one set of images, such as train2014."""

    word: str
    year: str
    files: dict[str, TextFile] = field(default_factory=dict)
    """questions, annotations, complementary_pairs or dev (the questions of test-dev) → file."""

    @property
    def images(self) -> str:
        """As COCO calls the set of images."""
        return f"{self.word}{self.year}"


def is_at(path: Path) -> bool:
    """Whether `path` is a folder with the questions of VQA v2, there or in a folder for them."""
    return path.is_dir() and any(kind == "questions" for _, _, kind, _ in _files(path))


def read(path: Path, attributes: Attributes) -> Listing:
    """One sample for each question about a photograph, by image id and then by question id."""
    source = path.resolve()
    parts = _parts(source)
    folders = {part.word: _folder(source, part) for part in parts}
    there = [part for part in parts if folders[part.word] is not None and "questions" in part.files]
    if not there:
        raise DataError(f"{source} has the questions of VQA v2 and none of the photographs: put COCO's train2014, "
                        "val2014 and test2015 into it, as folders, zips or links.")  # fmt: skip
    answered = {part.word: _answers(part) for part in parts}
    words = vocabulary(a["multiple_choice_answer"] for a in answered.get("train", {}).values())
    listings = [_listing(source, folders[p.word] or "", p, answered[p.word], words) for p in there]
    left = sorted(p.images for p in parts if p not in there)
    missing = (f"not read, their photographs are not here: {', '.join(left)}",) if left else ()
    told = f"answers that are the most frequent of at least {LEAST} training questions are the {len(words):,} classes"
    if not words:
        told = "no classes: they are taken from train's annotations alone, which are not here or too few"
    found = joined(listings)
    return replace(
        found, class_ids=words, policy="lexicographic", dataset=VQA.name,
        notes=(told, *missing, *found.notes),
    )  # fmt: skip


FORMAT = Format(name="VQA v2", is_at=is_at, read=read)


def _files(folder: Path) -> list[tuple[str, str, str, TextFile]]:
    """Set, year, kind and file of VQA v2's in a folder, in one for them below it, and in the zips they come in."""
    with os.scandir(folder) as entries:
        below = sorted(e.path for e in entries if e.name.lower() in _FOLDERS and e.is_dir())
    files = [file for place in (folder, *map(Path, below)) for file in texts_in(place, _FILE, _ARCHIVE)]
    matches = [(_FILE.fullmatch(file.name), file) for file in files]
    return [(match[1], match[2], match[3], file) for match, file in matches if match is not None]


def _parts(source: Path) -> list[Part]:
    parts: dict[str, Part] = {}
    for word, year, kind, file in _files(source):
        part = parts.setdefault(word.removesuffix("-dev"), Part(word=word.removesuffix("-dev"), year=year))
        part.files["dev" if word == "test-dev" else kind] = file
    for part in parts.values():
        if "questions" not in part.files and "dev" in part.files:
            part.files["questions"] = part.files["dev"]
    return sorted(parts.values(), key=lambda part: SPLIT_ORDER.index(split_of(part.word)))


def _folder(source: Path, part: Part) -> str | None:
    return place_of(source, *(f"{above}{part.images}" for above in ("", "images/", "Images/", "mscoco/")))


def _answers(part: Part) -> dict[int, dict[str, Any]]:
    """Question id → its annotation, where there are any."""
    file = part.files.get("annotations")
    if file is None:
        return {}
    found = records(read_object(file, _words_of_answers), "annotations", ANSWERS, file)
    for item in found:
        if not all(isinstance(answer, str) for answer in item["answers"]):
            raise DataError(f"{file}: question {item['question_id']} has an answer that is no text.")
    return {item["question_id"]: item for item in found}


def _words_of_answers(item: dict[str, Any]) -> Any:
    """Ten times half a million answers: of each only the words are kept."""
    return item["answer"] if "answer_id" in item and "answer" in item else item


def _pairs(part: Part) -> dict[int, list[tuple[str, str]]]:
    """Question id → the pairs that it is in: one question about two similar photographs with different answers."""
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    file = part.files.get("complementary_pairs")
    if file is None:
        return found
    listed = read_json(file)
    if not isinstance(listed, list):
        raise DataError(f"{file} holds a JSON {type(listed).__name__}; wanted a list of pairs of question ids.")
    for pair in listed:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(q, int) for q in pair)):
            raise DataError(f"{file}: {pair!r:.80} is no pair of question ids.")
        name = f"vqa/{min(pair)}-{max(pair)}"
        for question in set(pair):
            found[question].append(("pair", name))
    return found


def _listing(
    source: Path, folder: str, part: Part, answered: dict[int, dict[str, Any]], words: tuple[str, ...]
) -> Listing:
    file = part.files["questions"]
    asked = records(read_object(file), "questions", QUESTIONS, file)
    asked.sort(key=lambda q: (q["image_id"], q["question_id"]))
    images = sorted({q["image_id"] for q in asked})
    position = {image: i for i, image in enumerate(images)}
    names = [f"COCO_{part.images}_{image:012d}.jpg" for image in images]
    references, reasons = images_in(source, folder, names)
    each = Listing(
        layout="VQA v2", name=source.name, roots={"source": str(source)}, keys=names, splits=[None] * len(names),
        labels=[None] * len(names), images=references, reasons=reasons,
    )  # fmt: skip
    rows = repeated(each, [position[q["image_id"]] for q in asked])
    pairs, class_of = _pairs(part), {word: i for i, word in enumerate(words)}
    labels = [_labels(answered.get(q["question_id"]), class_of) for q in asked]
    notes = counted(sum(not v for v in labels if v is not None), f"questions of {part.word} whose answers are no class")
    if answered:
        notes += counted(sum(v is None for v in labels), f"questions of {part.word} without answers")
    return replace(
        rows, keys=[f"{part.word}/{q['question_id']}" for q in asked], splits=[split_of(part.word)] * len(asked),
        groups=[[("image", f"coco/{q['image_id']}"), *pairs.get(q["question_id"], ())] for q in asked],
        columns={"labels": labels, "extra": [_extra(q, answered.get(q["question_id"])) for q in asked]}, notes=notes,
    )  # fmt: skip


def _labels(annotation: dict[str, Any] | None, class_of: dict[str, int]) -> list[dict[str, Any]] | None:
    """Each answer that is a class, scored by how many people gave it; none at all where nobody gave one."""
    if annotation is None:
        return None
    found = scores(annotation["answers"])
    return [label_of(class_of[a], score=found[a], source="rater") for a in sorted(found) if a in class_of]


def _extra(question: dict[str, Any], annotation: dict[str, Any] | None) -> str:
    known = annotation or {}
    most_frequent, kind = known.get("multiple_choice_answer"), known.get("question_type")
    return extra(
        question=clean(question["question"]), question_id=question["question_id"],
        question_type=kind if isinstance(kind, str) else None, answer_type=known.get("answer_type"),
        answers=known.get("answers"),
        most_frequent=None if most_frequent is None else normalised(most_frequent),
    )  # fmt: skip


VQA = Card(
    name="vqa-v2",
    title="VQA v2 (visual question answering), as questions about photographs",
    num_samples={"train": 443_757, "val": 214_354, "test": 447_793},
    num_classes=3_129,
    task="several answers a question, each with a score; a sample is a photograph with a question",
    resolution="COCO's photographs of 2014, the longer side mostly 640",
    licence="annotations CC BY 4.0; each photograph has its author's own licence",
    access="open",
    homepage="visualqa.org",
    layout="v2_OpenEnded_mscoco_*_questions.json and v2_mscoco_*_annotations.json beside train2014/, val2014/ "
    "…, or the zips as they are downloaded",
    folders=("vqa-v2", "vqa_v2", "vqav2", "vqa"),
    groups="the photograph, and through complementary pairs (one question, two similar photographs, other answers) the "
    "photographs that they join",
    augmentation="no flips where a question asks for left or right, no changes of colour where it asks for one",
    annotation="questions by crowd workers, ten answers each by ten others, with how sure they were",
    scope="answering in free words: answers are classes here, and a network that reads the question is not built",
    consent="as COCO: photographs from Flickr under their authors' licences; the people in them were not asked",
    removals="none published",
    biases="questions as people ask them who see the picture (of what is there); English alone; answers often follow "
    "from the question, which complementary pairs lessen and do not remove",
    counts={
        "answers in the vocabulary that circulates (9 times or more in train and val together)": 3_129,
        "questions of train": 443_757,
    },
    quirks=(
        "the usual vocabulary is taken from train and val, which leaks val; here it is taken from train alone, is "
        "smaller, and a question of val whose answers are no class stays, with no right class",
        "score of an answer that 0, 1, 2, 3 or more of ten people gave: 0, 0.3, 0.6, 0.9, 1: the expected official one",
        "yes/no, number and other are told apart in extra (answer_type): one accuracy over all hides two of them",
        "the score of a model that sees the question alone belongs beside the score of one that sees both",
        "val2014 is mostly in COCO's train2017: a detector trained there has seen the photographs",
        "answers of test are not published; test-dev is a part of it",
    ),
    files=tuple(
        PublishedFile(name=f"v2_{what}_mscoco.zip")
        for what in ("Questions_Train", "Questions_Val", "Questions_Test", "Annotations_Train", "Annotations_Val",
                     "Complementary_Pairs_Train", "Complementary_Pairs_Val")
    ),
    gate="download from visualqa.org/download.html (open, but no digest is published to check them by), and put "
    "COCO's train2014.zip, val2014.zip and test2015.zip beside",
)  # fmt: skip
