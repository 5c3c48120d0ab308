"""The verb `datasets`: cards, and downloads from a server on this machine."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sightline import catalog, cli
from sightline.catalog.card import PublishedFile
from sightline.errors import DataError
from sightline.indexing import index
from tests.catalog import cifar_files as files


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[catalog.Card]:
    """CIFAR-10 with a miniature of its archive behind its address, and one more file that is not served."""
    site = tmp_path / "site"
    archive = files.packed(site / "cifar-10-binary.tar.gz", "cifar-10-batches-bin", files.ten_binary())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    address = f"http://127.0.0.1:{server.server_port}/{archive.name}"
    card = dataclasses.replace(catalog.datasets("cifar10"), gate="Ask for it.", files=(
        PublishedFile(name=archive.name, address=address, form="binary", sha256=digest),
        PublishedFile(name="secret.bin", form="binary"), PublishedFile(name="other", form="python"),
    ))  # fmt: skip
    monkeypatch.setattr(catalog, "CATALOG", (card, catalog.datasets("digits")))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    yield card
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("served")
def test_a_name_is_fetched_and_then_a_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["index", "cifar10", "study"]) == 2
    assert "Fetch it: sightline datasets cifar10 --fetch" in capsys.readouterr().err
    assert cli.main(["datasets", "cifar10", "--fetch"]) == 0
    out = capsys.readouterr().out
    assert "CIFAR-10: 1 file in data/cifar10 · 0.1 MB" in out
    assert "not openly served: secret.bin. Ask for it." in out
    assert "licence: no licence file; research use" in out
    assert "next: sightline run data/cifar10 STUDY" in out
    assert len(index(tmp_path / "data" / "cifar10")) == 18
    assert cli.main(["index", "cifar10", "study"]) == 2  # found by its name, but 18 images are not what it promises
    assert "are not that dataset" in capsys.readouterr().err
    assert cli.main(["datasets", "cifar10", "--fetch"]) == 0
    assert "all there, checked" in capsys.readouterr().out
    assert cli.main(["datasets"]) == 0
    assert "in data/cifar10" in capsys.readouterr().out


@pytest.mark.usefixtures("served")
def test_facts_of_a_download(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["datasets", "cifar10", "--fetch", str(tmp_path / "here"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["files"] == [f"{tmp_path}/here/cifar-10-binary.tar.gz"]
    assert facts["bytes"] == (tmp_path / "here" / "cifar-10-binary.tar.gz").stat().st_size
    assert facts["not_served"] == ["secret.bin"]


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(("arguments", "message"), [
    (["--fetch"], "Fetch which dataset?"), (["digits", "--fetch"], "No file of Digits"),
    (["cifar10", "--form", "binary"], "The form is for downloads"),
    (["cifar10", "--fetch", "x", "--form", "parquet"], "no form 'parquet'"),
    (["cifar10", "--fetch", "x", "--form", "python"], "can be fetched without you (open). Ask for it."),
    (["cifar1", "--fetch"], "Did you mean 'cifar10'"),
])  # fmt: skip
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["datasets", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_name_over_other_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_data: Callable[[str], Path]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fashion-mnist").symlink_to(shared_data("mnist"), target_is_directory=True)
    with pytest.raises(DataError, match=r"'fashion-mnist' are not that dataset.* They are mnist\."):
        index("fashion-mnist")


def test_a_list_says_how_each_is_had(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["datasets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(catalog.CATALOG) + 1
    assert any(line.startswith("cifar10 ") and line.endswith(("can be fetched", "in data/cifar10")) for line in lines)
    assert any(line.startswith("imagenet-1k ") and "registration" in line for line in lines)
