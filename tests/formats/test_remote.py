from __future__ import annotations

import functools
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import sightline as sl
from sightline.errors import DataError, DecodeError, MissingExtraError
from sightline.images import ImageReader
from sightline.images import remote as places
from sightline.images.remote import Remote, is_address
from sightline.samples import IMAGE
from tests.sources import jpeg, png16, write_files, write_hub

fsspec = pytest.importorskip("fsspec", reason="the extra `remote` is not installed")

FILES = {f"{split}/{c}/{i} & {c}.jpg": jpeg(i) for split in ("train", "val") for c in "ab" for i in range(3)}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, by ranges where the server is told to know them; what was asked for is noted."""

    def log_message(self, *args: Any) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        if self.server.fails > 0:  # type: ignore[attr-defined]
            self.server.fails -= 1  # type: ignore[attr-defined]
            self.send_error(503)
            return
        asked = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if not (asked and self.server.has_ranges and path.is_file()):  # type: ignore[attr-defined]
            super().do_GET()
            return
        first, _, last = asked.removeprefix("bytes=").partition("-")
        data = path.read_bytes()
        part = data[int(first) : int(last) + 1 if last else None]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    pytest.importorskip("aiohttp")
    folder = tmp_path / "served"
    folder.mkdir()
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    made.asked, made.has_ranges, made.fails, made.folder = [], True, 0, folder  # type: ignore[attr-defined]
    made.address = f"http://127.0.0.1:{made.server_port}"  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def bucket() -> Iterator[Any]:
    files = fsspec.filesystem("memory")
    yield files
    for path in files.find("/"):
        files.rm(path)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_PAUSE_S", 0)


def on_disk(folder: Path) -> sl.SampleTable:
    return sl.index(write_files(folder, FILES)).hashed()


def same(found: sl.SampleTable, want: sl.SampleTable) -> bool:
    read = found.hashed()
    names = ("sample_id", "content_sha256", "pixel_sha256", "status")
    return found.digest == want.digest and all(read.column(name) == want.column(name) for name in names)


def test_class_folders_in_a_bucket_are_those_on_a_disk(tmp_path: Path, bucket: Any) -> None:
    for name, data in FILES.items():
        bucket.pipe_file(f"/photos/mine/{name}", data)
    bucket.pipe_file("/photos/mine/.hidden/x.jpg", b"")
    bucket.pipe_file("/photos/mine/train/a/notes.txt", b"")
    samples = sl.index("memory://photos/mine")
    assert same(samples, on_disk(tmp_path))
    assert samples.name == "mine"
    assert samples.roots == {"source": "memory://photos/mine"}
    assert samples.column("image")[0]["length"] == len(next(iter(FILES.values())))


@pytest.mark.parametrize("has_ranges", [True, False])
def test_class_folders_on_a_web_server(tmp_path: Path, server: Any, has_ranges: bool) -> None:
    write_files(server.folder, FILES)
    server.has_ranges = has_ranges
    assert same(sl.index(server.address), on_disk(tmp_path / "disk"))


def test_headers_cost_the_first_bytes_alone(server: Any) -> None:
    large = jpeg() + bytes(500_000)
    write_files(server.folder, {"a/1.jpg": large, "b/1.jpg": large})
    sl.index(server.address)
    fetched = {path: asked for path, asked in server.asked if path.endswith(".jpg") and asked}
    assert fetched == {"/a/1.jpg": "bytes=0-131071", "/b/1.jpg": "bytes=0-131071"}


def test_a_study_of_remote_samples_is_read_again(tmp_path: Path, bucket: Any) -> None:
    for name, data in FILES.items():
        bucket.pipe_file(f"/photos/{name}", data)
    samples = sl.index("memory://photos")
    study = sl.Study.create(tmp_path / "study")
    study.write_samples(samples)
    again = study.read_samples()
    assert again.roots == samples.roots
    assert same(again, samples.hashed())


@pytest.mark.parametrize("source", ["memory://lists/mine/list.csv", "memory://lists/mine"])
def test_a_table_elsewhere_lists_files_beside_it(bucket: Any, source: str) -> None:
    table = b"path,label,patient\nimages/1.png,x,P1\nimages/2.jpg,y,P1\ngone.jpg,y,P2\n"
    bucket.pipe_file("/lists/mine/list.csv", table)
    bucket.pipe_file("/lists/mine/images/1.png", png16())
    bucket.pipe_file("/lists/mine/images/2.jpg", jpeg())
    samples = sl.index(source)
    assert samples.column("key") == ["images/1.png", "images/2.jpg", "gone.jpg"]
    assert samples.column("group_id") == ["patient:P1", "patient:P1", "patient:P2"]
    assert samples.column("reason") == [None, None, "file is missing: gone.jpg"]
    assert samples.reader().pixels(0).bits == 16


def test_a_range_of_an_archive_elsewhere(server: Any) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for i in range(3):
            member = tarfile.TarInfo(f"{i}.jpg")
            member.size = len(jpeg(i))
            archive.addfile(member, io.BytesIO(jpeg(i)))
    write_files(server.folder, {"shards/a.tar": stream.getvalue()})
    with tarfile.open(server.folder / "shards/a.tar") as archive:
        members = archive.getmembers()
    rows = [{"root": "r", "path": "shards/a.tar", "container": "tar", "offset": m.offset_data, "length": m.size}
            for m in members]  # fmt: skip
    short = {**rows[0], "offset": len(stream.getvalue()) - 5}
    odd = {"root": "r", "path": "shards/a.tar", "container": "parquet", "row": 0}
    reader = ImageReader(pa.array([*rows, short, odd], IMAGE), {"r": server.address})
    assert [reader.payload(i) for i in range(3)] == [jpeg(i) for i in range(3)]
    assert reader.pixels(1).values.shape == (12, 16, 3)
    assert reader.head(2) == jpeg(2)
    first, length = rows[2]["offset"], rows[2]["length"]
    assert server.asked[-1] == ("/shards/a.tar", f"bytes={first}-{first + length - 1}")
    with pytest.raises(DecodeError, match="ends before byte"):
        reader.payload(3)
    with pytest.raises(DataError, match="on a disk only"):
        reader.payload(4)


def test_a_server_that_stumbles_is_asked_again_and_one_that_fails_is_no_row(server: Any) -> None:
    write_files(server.folder, FILES)
    samples = sl.index(server.address)
    server.fails = 2
    assert samples.reader().payload(0) == next(iter(FILES.values()))
    server.fails = 1000
    with pytest.raises(DataError, match="credentials and the network"):
        samples.hashed()


def test_a_server_that_does_not_answer_is_no_empty_folder(server: Any) -> None:
    server.fails = 1000
    with pytest.raises(DataError, match="credentials and the network"):
        sl.index(server.address)


def test_a_file_that_is_gone_is_a_row(bucket: Any) -> None:
    for name, data in FILES.items():
        bucket.pipe_file(f"/photos/{name}", data)
    samples = sl.index("memory://photos")
    bucket.rm("/photos/train/a/0 & a.jpg")
    assert samples.hashed().column("reason")[0] == "file is missing: train/a/0 & a.jpg"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("memory://nothing/here", "holds no files|does not exist"),
        ("memory://flat", "2 images and no class folders|no class"),
        ("file:///etc", "file:// is not read"),
        ("github://user:repo@main/x", "github:// is not read"),
        ("simplecache::memory://flat", "is not read|does not exist"),
        ("memory://flat/no.csv", "file is missing"),
        ("memory://flat#ct-lung", "on a disk only"),
        ("memory://absolute/list.csv", "absolute paths"),
        ("memory://hub", r"holds \.parquet files.*from_huggingface"),
        ("memory://hub/train-0.parquet", r"holds \.parquet files.*from_huggingface"),
        ("memory://shards/a.tar", r"holds \.tar files"),
    ],
)
def test_refused_with_a_reason(tmp_path: Path, bucket: Any, source: str, message: str) -> None:
    bucket.pipe_file("/flat/1.jpg", jpeg())
    bucket.pipe_file("/flat/2.jpg", jpeg())
    bucket.pipe_file("/hub/train-0.parquet", write_hub(tmp_path / "x.parquet", [jpeg()], ["a"]).read_bytes())
    bucket.pipe_file("/shards/a.tar", b"")
    bucket.pipe_file("/absolute/list.csv", b"path,label\n/etc/passwd,x\n1.jpg,y\n")
    with pytest.raises(DataError, match=message):
        sl.index(source)


def test_a_table_that_names_a_file_of_this_machine_reads_none(bucket: Any) -> None:
    rows = [{"root": "r", "path": "../../secret.jpg", "container": "file"}]
    bucket.pipe_file("/secret.jpg", jpeg())
    with pytest.raises(DecodeError, match="leads out"):
        ImageReader(pa.array(rows, IMAGE), {"r": "memory://photos/mine"}).payload(0)


def test_groups_of_a_tree_are_refused(bucket: Any) -> None:
    for name, data in FILES.items():
        bucket.pipe_file(f"/photos/{name}", data)
    with pytest.raises(DataError, match="no columns for groups"):
        sl.index("memory://photos", group="patient")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(MissingExtraError, match=r"sightline\[remote\]"):
        Remote("s3://bucket")


@pytest.mark.parametrize(("text", "is_one"), [("s3://b/x", True), ("hf://datasets/a", True), ("C:\\photos", False),
                                              ("photos://", True), ("a/b://c", False), ("cifar10", False)])  # fmt: skip
def test_what_an_address_is(text: str, is_one: bool) -> None:
    assert is_address(text) is is_one
