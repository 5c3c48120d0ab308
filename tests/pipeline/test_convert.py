"""The verb `convert` on a study: a study on which all verbs go on, with the same batches and the same numbers."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

import sightline as sl
from sightline import augmentation, cli
from sightline.errors import DataError
from sightline.ledger import Ledger
from sightline.pipeline import verb
from sightline.predictions import Predictions
from sightline.runs import Run, checkpoint_of
from tests.conftest import save_photo

pytest.importorskip("numba", reason="the extra `pack` is not installed")

QUICK = ["model=Model(name='small_cnn')", "size=(16, 16)", "train_sizes=()", "duration=Epochs(1)",
         "schedule.warmup=Epochs(0.1)", "batch_size=16", "optimizer=AdamW(lr=0.01)"]  # fmt: skip


@pytest.fixture
def study(photo_folder: Path, tmp_path: Path) -> Path:
    home = tmp_path / "study"
    verb("index")(photo_folder, home)
    verb("split")(home)
    return home


def test_what_the_command_says(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert cli.main(["convert", str(study), "--to", "packed", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("convert   80 images · 80 recoded without loss · 0.")
    assert said[1].startswith(f"wrote {out} · ")
    small = [str(study), str(tmp_path / "small"), "--to", "packed", "--max-side", "20"]
    assert cli.main(["convert", *small, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["to"], facts["images"], facts["encoded"]) == ("packed", 80, 80)
    assert facts["encoding"] == {"quality": None, "max_side": 20, "subsampling": "4:4:4"}
    assert 20 < facts["psnr_db"]["min"] <= facts["psnr_db"]["mean"] < 60
    assert facts["wrote"] == str(tmp_path / "small")


def test_what_the_command_says_of_a_folder_for_other_tools(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert cli.main(["convert", str(study), "--to", "parquet", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("convert   80 images · 80 copied · 0.1 MB in 3 shards, 1.00 of before")
    digest = sl.Study.open(study).read_samples().digest
    assert said[1] == f"wrote {out} · {digest[:12]}"
    assert cli.main(["convert", str(study), "--to", "class-folders", str(tmp_path / "folders"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["to"], facts["copied"], facts["shards"], facts["digest"]) == ("class-folders", 80, 0, digest)
    verb("index")(str(out), tmp_path / "again")
    verb("split")(tmp_path / "again")
    old, new = (sl.Splits.read(sl.Study.open(home).splits_path) for home in (study, tmp_path / "again"))
    assert new.digest == old.digest


def test_mistakes_are_messages(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    for arguments, said in (
        ([str(study), out], "required: --to"),
        ([str(study), out, "--to", "tape"], "invalid choice: 'tape'"),
        ([str(study), out, "--to", "packed", "--quality", "101"], "from 1 to 100, got 101"),
        ([str(study), str(study), "--to", "packed"], "overwrites nothing"),
        ([str(tmp_path), out, "--to", "packed"], "is not a study"),
        ([str(study), out, "--to", "mds", "--max-side", "9"], "--quality and --max-side go with packed"),
    ):
        assert cli.main(["convert", *arguments]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_targets_of_the_command_are_those_that_exist() -> None:
    from sightline.conversion import TARGETS

    [convert] = [v for v in cli.VERBS if v.name == "convert"]
    [to] = [o for o in convert.options if o.names == ("--to",)]
    assert tuple(to.settings["choices"]) == tuple(TARGETS)


def test_every_verb_goes_on_with_the_same_numbers(study: Path, tmp_path: Path, photo_folder: Path) -> None:
    packed = tmp_path / "elsewhere" / "packed"
    verb("convert")(study, tmp_path / "made", to="packed")
    packed.parent.mkdir()
    shutil.move(tmp_path / "made", packed)
    for home in (study, packed):
        if home == packed:
            shutil.rmtree(photo_folder)
        verb("audit")(home)
        assert verb("check")(home, recipe="photo.scratch", changes=QUICK, device="cpu").is_good
        verb("train")(home, recipe="photo.scratch", changes=QUICK, device="cpu")
        verb("evaluate")(home, device="cpu", note=None if home == study else "packed")
        verb("report")(home)
    runs = [checkpoint_of(home).parent for home in (study, packed)]
    assert runs[0].name == runs[1].name
    for split in ("val", "test"):
        old, new = (Predictions.read(run / f"predictions-{split}.parquet") for run in runs)
        assert old.digest == new.digest
    looks = Ledger(packed / "ledger.jsonl").looks()
    assert [look.number for look in looks] == [1, 2]  # both studies' looks, at one test


def test_batches_are_the_same_bytes(tmp_path: Path) -> None:
    for i in range(24):
        save_photo(tmp_path / "photos" / "ab"[i % 2] / f"{i}.jpg", i, size=(60 + i, 90 - i))
    source = sl.index(tmp_path / "photos")
    made = sl.convert(source, tmp_path / "out").samples
    contract = sl.Preprocessing(size=(24, 24), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), resize_to=26)
    for augment in (None, augmentation.photograph(24)):
        loaders = [
            sl.Loader(s, preprocessing=contract, augmentation=augment, batch_size=6, cache_bytes=0, threads=2)
            for s in (source, made)
        ]
        for epoch in range(2 if augment else 1):
            batches = [list(loader.epoch(epoch) if augment else loader) for loader in loaders]
            for old, new in zip(*batches, strict=True):
                np.testing.assert_array_equal(old.images_bchw.numpy(), new.images_bchw.numpy())
                assert old.positions.tolist() == new.positions.tolist()


def test_a_study_is_no_source_and_keeps_its_shards(study: Path, tmp_path: Path, photo_folder: Path) -> None:
    packed = tmp_path / "packed"
    verb("convert")(study, packed, to="packed")
    before = (packed / "samples.parquet").read_bytes()
    with pytest.raises(DataError, match=rf"{packed} is a study: .* sightline split {packed}"):
        verb("index")(str(packed), tmp_path / "new")
    with pytest.raises(DataError, match="holds images that `sightline convert` wrote"):
        verb("index")(str(photo_folder), packed)
    assert (packed / "samples.parquet").read_bytes() == before
    assert not (tmp_path / "new").exists()


def test_the_report_tells_how_to_convert_again(study: Path, tmp_path: Path) -> None:
    verb("convert")(study, tmp_path / "small", to="packed", quality=80, max_side=30)
    packed = tmp_path / "packed"
    verb("convert")(tmp_path / "small", packed, to="packed")
    verb("train")(packed, recipe="photo.scratch", changes=QUICK, device="cpu")
    from sightline.reporting.repeating import commands

    home = sl.Study.open(packed)
    samples, splits = home.read_samples(), sl.Splits.read(home.splits_path)
    lines = commands(Run.open(checkpoint_of(packed), samples, splits), samples, splits)[1]["text"].splitlines()
    assert [shlex.split(line)[1] for line in lines[:4]] == ["index", "convert", "convert", "split"]
    assert lines[0].endswith("original-1")
    assert lines[1] == "sightline convert original-1 original-2 --to packed --quality 80 --max-side 30"
    assert lines[2] == "sightline convert original-2 study --to packed"
    for line in lines[1:3]:
        cli.build_parser().parse_args(shlex.split(line)[1:])
