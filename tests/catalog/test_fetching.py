"""Downloads from a server on this machine that breaks, lies and sends on."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.server
import json
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.catalog import datasets, fetching
from sightline.catalog.card import Card, PublishedFile
from sightline.catalog.fetching import fetch
from sightline.errors import DataError

DATA = np.random.default_rng(0).integers(0, 256, 3_000_000, dtype=np.uint8).tobytes()
SHA = hashlib.sha256(DATA).hexdigest()


class Site(http.server.BaseHTTPRequestHandler):
    """Serves DATA under every path; the path says how."""

    protocol_version = "HTTP/1.1"
    requests: ClassVar[list[tuple[str, str | None]]] = []
    breaks: ClassVar[list[int]] = []
    """After how many bytes each of the next connections ends."""
    tag: ClassVar[str] = '"one"'

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        Site.requests.append((self.path, asked))
        if self.path.startswith("/loop") or self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", "/loop/x" if self.path.startswith("/loop") else "file:///etc/passwd")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path.startswith("/moved"):
            self.send_response(301)
            self.send_header("Location", "/file")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path.startswith("/gone") or (self.path.startswith("/busy") and len(Site.requests) < 3):
            self.send_error(404 if self.path.startswith("/gone") else 503)
            return
        self._serve(asked)

    def _serve(self, asked: str | None) -> None:
        data = DATA[:-1] + b"!" if self.path.startswith("/wrong") else DATA + b"more" if "long" in self.path else DATA
        is_same = self.headers.get("If-Range", Site.tag) == Site.tag
        start = int(asked[6:-1]) if asked and is_same and "norange" not in self.path else 0
        if start > len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("ETag", Site.tag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if "chunked" in self.path:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if Site.breaks:
            self.wfile.write(data[start : start + Site.breaks.pop(0)])
            self.close_connection = True
            return
        self.wfile.write(data[start:])
        self.close_connection = "chunked" in self.path

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a reader that has heard enough hangs up
            super().handle()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> None:
    Site.requests, Site.breaks, Site.tag = [], [], '"one"'
    monkeypatch.setattr(fetching, "WAIT_S", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def card(*files: PublishedFile, **changes: Any) -> Card:
    return dataclasses.replace(datasets("cifar10"), files=files, **changes)


def one(site: str, path: str, **changes: Any) -> Card:
    settings: dict[str, Any] = {"num_bytes": len(DATA), "sha256": SHA, **changes}
    return card(PublishedFile(name="sub/data.bin", address=site + path, **settings))


def left_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("path", ["/file", "/moved", "/chunked", "/busy", "/norange"])
def test_a_file_arrives_whole_and_alone(site: str, tmp_path: Path, path: str) -> None:
    found = fetch(one(site, path), tmp_path)
    assert (tmp_path / "sub" / "data.bin").read_bytes() == DATA
    assert found.files == (tmp_path / "sub/data.bin",)
    assert found.num_bytes == len(DATA)
    assert left_in(tmp_path) == ["sub/data.bin"]


def test_what_is_there_is_checked_and_kept(site: str, tmp_path: Path) -> None:
    fetch(one(site, "/file"), tmp_path)
    Site.requests.clear()
    assert fetch(one(site, "/file"), tmp_path).num_bytes == 0
    assert Site.requests == []
    (tmp_path / "sub/data.bin").write_bytes(b"mine")
    with pytest.raises(DataError, match="not what CIFAR-10 publishes"):
        fetch(one(site, "/file"), tmp_path)
    assert (tmp_path / "sub/data.bin").read_bytes() == b"mine"


@pytest.mark.parametrize("path", ["/file", "/chunked"])
def test_a_broken_connection_is_taken_up_where_it_broke(site: str, tmp_path: Path, path: str) -> None:
    Site.breaks = [1_200_000] * 2
    fetch(one(site, path), tmp_path)
    assert (tmp_path / "sub/data.bin").read_bytes() == DATA
    assert [asked for _, asked in Site.requests] == [None, "bytes=1200000-", "bytes=2400000-"]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(breaks=st.lists(st.integers(0, len(DATA)), max_size=7), path=st.sampled_from(["/file", "/chunked", "/norange"]))
def test_wherever_it_breaks_the_file_is_whole_or_not_there(site: str, breaks: list[int], path: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        Site.breaks = list(breaks)
        for _ in range(3):
            try:
                fetch(one(site, path), folder)
                break
            except DataError:
                assert "sub/data.bin" not in left_in(folder)
        assert (folder / "sub/data.bin").read_bytes() == DATA
        assert left_in(folder) == ["sub/data.bin"]


def interrupted(site: str, folder: Path, path: str) -> None:
    Site.breaks = [1_200_000]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetching, "ATTEMPTS", 1)
        with pytest.raises(DataError, match=r"ended too early, 1 times\. 1,200,000 bytes are kept"):
            fetch(one(site, path), folder)
    assert "sub/data.bin" not in left_in(folder)
    assert Site.breaks == []
    Site.requests.clear()


def test_the_next_run_goes_on(site: str, tmp_path: Path) -> None:
    interrupted(site, tmp_path, "/file")
    fetch(one(site, "/file"), tmp_path)
    assert Site.requests == [("/file", "bytes=1200000-")]
    assert left_in(tmp_path) == ["sub/data.bin"]


def test_a_file_that_changed_meanwhile_begins_anew(site: str, tmp_path: Path) -> None:
    interrupted(site, tmp_path, "/file")
    Site.tag = '"two"'
    part = tmp_path / "sub" / ".data.bin.part"
    part.write_bytes(b"x" * 1_200_000)
    fetch(one(site, "/file"), tmp_path)
    assert (tmp_path / "sub/data.bin").read_bytes() == DATA


def test_a_server_without_ranges_begins_anew(site: str, tmp_path: Path) -> None:
    interrupted(site, tmp_path, "/norange")
    fetch(one(site, "/norange"), tmp_path)
    assert (tmp_path / "sub/data.bin").read_bytes() == DATA


def test_more_kept_than_there_is(site: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/.data.bin.part").write_bytes(bytes(len(DATA) + 5))
    fetch(one(site, "/file"), tmp_path)
    assert (tmp_path / "sub/data.bin").read_bytes() == DATA


def test_a_wrong_checksum_leaves_nothing(site: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"wanted {SHA}") as error:
        fetch(one(site, "/wrong"), tmp_path)
    assert hashlib.sha256(DATA[:-1] + b"!").hexdigest() in str(error.value)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(("path", "message"), [
    ("/long", "3,000,004 bytes, wanted 3,000,000"), ("/gone", "answers 404"), ("/loop", "answers 302.*infinite loop"),
    ("/away", "'file:///etc/passwd' is not allowed"), ("/long-chunked", "more than the 3,000,000 bytes"),
])  # fmt: skip
def test_what_is_not_the_file_is_refused(site: str, tmp_path: Path, path: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fetch(one(site, path), tmp_path)
    assert "sub/data.bin" not in left_in(tmp_path)


@pytest.mark.parametrize(("old", "new", "is_followed"), [
    ("https", "https", True), ("http", "https", True), ("http", "http", True), ("https", "http", False),
    ("http", "ftp", False),
])  # fmt: skip
def test_no_address_sends_on_to_a_less_safe_one(old: str, new: str, is_followed: bool) -> None:
    asked = urllib.request.Request(f"{old}://example.org/a")
    arguments = (asked, None, 302, "Found", {}, f"{new}://example.org/b")
    if is_followed:
        assert fetching._Redirects().redirect_request(*arguments).full_url == f"{new}://example.org/b"
        return
    with pytest.raises(DataError, match="not as safe"):
        fetching._Redirects().redirect_request(*arguments)


def test_without_a_size_the_checksum_decides(site: str, tmp_path: Path) -> None:
    md5 = hashlib.md5(DATA).hexdigest()
    fetch(one(site, "/chunked", num_bytes=None, sha256="", md5=md5), tmp_path)
    assert left_in(tmp_path) == ["sub/data.bin"]


def test_no_room(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"3,000,000 more bytes .* 1,000 are free"):
        fetch(one(site, "/file"), tmp_path)


def test_a_file_in_the_way(site: str, tmp_path: Path) -> None:
    (tmp_path / "sub").write_bytes(b"mine")
    for folder in (tmp_path, tmp_path / "sub"):
        with pytest.raises(DataError, match="a file is in its way"):
            fetch(one(site, "/file"), folder)
    (tmp_path / "other" / "sub" / "data.bin").mkdir(parents=True)
    with pytest.raises(DataError, match="is a folder"):
        fetch(one(site, "/file"), tmp_path / "other")


def test_gated_files(site: str, tmp_path: Path) -> None:
    locked = PublishedFile(name="train.tar", num_bytes=5, md5="0" * 32)
    with pytest.raises(DataError, match=r"without you \(by form\)\. Ask there"):
        fetch(card(locked, access="by form", gate="Ask there."), tmp_path)
    both = card(locked, PublishedFile(name="a", address=f"{site}/file", sha256=SHA), gate="Ask there.")
    assert fetch(both, tmp_path).left == ("train.tar",)


def test_forms(site: str, tmp_path: Path) -> None:
    files = [PublishedFile(name=n, address=f"{site}/{n}", sha256=SHA, form=f)
             for n, f in (("a", "binary"), ("b", "python"), ("both", ""))]  # fmt: skip
    assert [f.name for f in fetch(card(*files), tmp_path / "1").files] == ["a", "both"]
    assert [f.name for f in fetch(card(*files), tmp_path / "2", form="python").files] == ["b", "both"]
    with pytest.raises(DataError, match="Did you mean 'python'"):
        fetch(card(*files), tmp_path, form="pyton")
    with pytest.raises(DataError, match="one form only"):
        fetch(card(files[2]), tmp_path, form="python")


def test_by_default_it_lies_where_it_is_looked_for(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ours = one(site, "/file")
    fetch(ours)
    assert ours.located() == Path("data/cifar10")


@pytest.mark.parametrize("name", ["../x", "/etc/x", ""])
def test_a_card_names_nothing_outside_its_folder(site: str, tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="outside its folder"):
        fetch(card(PublishedFile(name=name, address=f"{site}/file", sha256=SHA)), tmp_path / "in")
    assert json.dumps(left_in(tmp_path)) == "[]"
