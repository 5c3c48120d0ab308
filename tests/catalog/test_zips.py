"""What is downloaded is read as it is: annotations and images inside their zips."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from sightline.errors import DataError
from sightline.indexing import index
from tests.catalog import test_coco, test_vqa
from tests.sources import jpeg, write_files


def zipped(folder: Path, archive: str, names: list[str], method: int = zipfile.ZIP_STORED) -> None:
    """Move files and folders of a folder into a zip there."""
    with zipfile.ZipFile(folder / archive, "w", method) as target:
        for name in names:
            for file in [folder / name] if (folder / name).is_file() else sorted((folder / name).rglob("*")):
                if file.is_file():
                    target.write(file, file.relative_to(folder).as_posix())
                    file.unlink()
            if (folder / name).is_dir():
                (folder / name).rmdir()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_coco_in_its_zips_is_coco(tmp_path: Path, method: int) -> None:
    folder = test_coco.coco(tmp_path, instances_val2017=test_coco.VAL, captions_val2017=test_coco.CAPTIONS)
    unpacked, crops = index(folder).hashed(), index(f"{folder}#crops").hashed()
    zipped(folder, "annotations_trainval2017.zip", ["annotations"], zipfile.ZIP_DEFLATED)
    zipped(folder, "val2017.zip", ["val2017"], method)
    for samples, before in ((index(folder).hashed(), unpacked), (index(f"{folder}#crops").hashed(), crops)):
        assert samples.digest == before.digest
        for column in ("content_sha256", "pixel_sha256", "boxes", "captions", "crop", "status"):
            assert samples.column(column) == before.column(column)
        assert samples.column("image")[0]["path"] == "val2017.zip"


def test_vqa_in_its_zips_is_vqa(tmp_path: Path) -> None:
    before = index(test_vqa.vqa(tmp_path))
    for name in sorted(p.name for p in tmp_path.glob("*.json")):
        zipped(tmp_path, f"v2_{name.removesuffix('.json')}_mscoco.zip", [name], zipfile.ZIP_DEFLATED)
    zipped(tmp_path, "val2014.zip", ["val2014"])
    samples = index(tmp_path)  # train2014 is still a folder
    assert samples.digest == before.digest
    assert samples.is_ok.all()
    assert {i["path"] for i in samples.column("image")} >= {"val2014.zip"}


def test_an_image_that_the_zip_does_not_have(tmp_path: Path) -> None:
    folder = test_coco.coco(tmp_path, instances_val2017=test_coco.VAL)
    (folder / "val2017" / "000000000005.jpg").unlink()
    zipped(folder, "val2017.zip", ["val2017"])
    assert index(folder).column("reason") == [None, "not in val2017.zip: 000000000005.jpg", None]
    zipfile.ZipFile(folder / "val2017.zip", "w").close()
    assert index(folder).column("status") == ["unreadable"] * 3


def test_a_file_beside_its_zip_is_read_once(tmp_path: Path) -> None:
    folder = test_coco.coco(tmp_path, instances_val2017=test_coco.VAL)
    with zipfile.ZipFile(folder / "annotations" / "annotations_trainval2017.zip", "w") as archive:
        archive.writestr("annotations/instances_val2017.json", b"older")
    assert len(index(folder)) == 3


def test_a_part_of_test_in_a_zip_of_its_own(tmp_path: Path) -> None:
    every, some = ({"images": [test_coco.image(i) for i in ids]} for ids in ((1, 2), (2,)))
    folder = test_coco.coco(tmp_path, image_info_test2017=every)
    with zipfile.ZipFile(folder / "image_info_test2017.zip", "w") as archive:
        archive.writestr("annotations/image_info_test-dev2017.json", json.dumps(some))
    assert len(index(folder)) == 2


def test_damaged_zips(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"val2017/000000000005.jpg": jpeg(), "annotations_trainval2017.zip": b"PK\3\4 cut"})
    with pytest.raises(DataError, match="not a readable zip"):
        index(folder)
    with zipfile.ZipFile(folder / "annotations_trainval2017.zip", "w") as archive:
        archive.writestr("annotations/instances_val2017.json", json.dumps(test_coco.VAL))
    whole = (folder / "annotations_trainval2017.zip").read_bytes()
    (folder / "annotations_trainval2017.zip").write_bytes(whole.replace(b"bbox", b"bbux", 1))
    with pytest.raises(DataError, match="cannot be unpacked: Bad CRC"):
        index(folder)
