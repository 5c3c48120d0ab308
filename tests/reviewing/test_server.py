"""The server answers whoever has the address, on this machine, and nobody else."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import sightline as sl
from sightline.errors import DataError
from sightline.reviewing import Review, read_decisions
from sightline.reviewing.server import ASSETS
from tests.reviewing.material import Material

Answer = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def opened(made: Material) -> Iterator[Review]:
    with sl.review(made.samples, made.findings, made.splits, decisions=made.study.decisions_path) as review:
        yield review


@pytest.fixture
def ask(opened: Review) -> Callable[..., Answer]:
    """Ask below the token, unless another path is given whole."""
    _, _, address, token, _ = opened.url.split("/")

    def ask(path: str, method: str = "GET", body: Any = None, whole: bool = False, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(address, timeout=10)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path if whole else f"/{token}/{path}", data, {**(JSON if data else {}), **headers})
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    return ask


def test_the_page_and_what_it_asks(ask: Callable[..., Answer], made: Material) -> None:
    row = made.samples.column("key").index("train/dark/000.jpg")
    for path in (*ASSETS, "overview", "item/0", f"picture/{row}/256"):
        status, headers, body = ask(path)
        assert status == 200, path
        assert body
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "unsafe" not in headers["Content-Security-Policy"]
    assert "no-store" in ask("overview")[1]["Cache-Control"], "it changes with each decision"


@pytest.mark.parametrize(
    "path", ["item/99", "item/x", "item/-1", "item/0/0", "picture/0", "picture/0/99999", "nothing", "../review.py",
             "item/99999999999999999999", "picture/0/256/1", "review.py", "item/²"],
)  # fmt: skip
def test_what_is_not_there(ask: Callable[..., Answer], path: str) -> None:
    from urllib.parse import quote

    status, _, body = ask(quote(path))
    assert status in {404, 409}
    assert "error" in json.loads(body)


def test_nobody_without_the_secret(ask: Callable[..., Answer], opened: Review, made: Material) -> None:
    token = opened.url.split("/")[3]
    for path in ("/", "/overview", f"/{token[:-1]}/overview", f"/{token}x/overview", f"/{token}", "//",
                 "/../etc/passwd"):  # fmt: skip
        assert ask(path, whole=True)[0] == 404, path
    assert ask("overview")[0] == 200
    said = {"n": 0, "action": "keep"}
    assert ask("/decide", "POST", said, whole=True)[0] == 404
    assert read_decisions(made.study.decisions_path) == ()


def test_no_other_name_and_no_form_of_another_page(ask: Callable[..., Answer], made: Material) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "[::1]x", "", "localhost@evil"):
        assert ask("overview", Host=host)[0] == 404, host
    assert ask("overview", Host="localhost:8888")[0] == 200, "through a tunnel"
    said = json.dumps({"n": 0, "action": "keep"}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert ask("decide", "POST", said, **{"Content-Type": kind})[0] == 400
        assert ask("undo", "POST", said, **{"Content-Type": kind})[0] == 400
    assert read_decisions(made.study.decisions_path) == ()


def test_a_decision_is_on_disk_when_it_is_answered(ask: Callable[..., Answer], made: Material) -> None:
    status, _, body = ask("decide", "POST", {"n": 0, "action": "drop", "target": 0, "value": "", "why": "copy"})
    assert (status, json.loads(body)["decision"]["said"]) == (200, "dropped")
    assert [d.action for d in read_decisions(made.study.decisions_path)] == ["drop"]
    assert json.loads(ask("undo", "POST", {})[2])["n"] == 0
    assert json.loads(ask("undo", "POST", {})[2]) is None
    assert [d.action for d in read_decisions(made.study.decisions_path)] == ["drop", "undo"]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"no json", 400), (b"[]", 400), ({"n": "0", "action": "keep"}, 400), ({"n": True, "action": "keep"}, 400),
        (b"[" * 50_000, 400),
        ({"n": 0, "action": "keep", "more": 1}, 400), ({"n": 0}, 409), ({"n": 0, "action": "drop", "target": 1}, 409),
        ({"n": 0, "action": "drop", "target": -1}, 409), ({}, 409), (b'{"n": 0, "why": "' + b"x" * 70_000 + b'"}', 400),
    ],
)  # fmt: skip
def test_what_is_no_decision_is_refused(ask: Callable[..., Answer], made: Material, said: Any, status: int) -> None:
    found, _, body = ask("decide", "POST", said)
    assert found == status
    assert json.loads(body)["error"]
    assert ask("overview")[0] == 200, "the server goes on"
    assert read_decisions(made.study.decisions_path) == ()


def test_only_this_machine_is_served(opened: Review) -> None:
    port = int(opened.url.split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port), 5):
        pass
    others = {i[4][0] for i in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in (a for a in others if not str(a).startswith("127.")):
        with pytest.raises(OSError), socket.create_connection((str(address), port), 1):
            pass


def test_a_port_that_is_taken_is_a_message(opened: Review, made: Material) -> None:
    port = int(opened.url.split(":")[2].split("/")[0])
    for bad in (port, 99_999):
        with pytest.raises(DataError, match="cannot be had"):
            sl.review(made.samples, made.findings, decisions=made.study.directory / "other.csv", port=bad)
    assert not (made.study.directory / "other.csv").exists()


def test_each_review_has_a_secret_of_its_own(opened: Review, made: Material) -> None:
    with sl.review(made.samples, made.findings, decisions=made.study.directory / "other.csv") as second:
        assert second.url.split("/")[3] != opened.url.split("/")[3]
        assert len(second.url.split("/")[3]) >= 22
    with pytest.raises(DataError, match="Another review"):
        sl.review(made.samples, made.findings, decisions=made.study.decisions_path)


def test_a_defect_is_told_and_the_review_goes_on(
    ask: Callable[..., Answer], opened: Review, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: int) -> None:
        raise ZeroDivisionError("x")

    with monkeypatch.context() as m:
        m.setattr(opened.session, "item", broken)
        status, _, body = ask("item/0")
    assert status == 500
    assert "defect of Sightline (ZeroDivisionError: x)" in json.loads(body)["error"]
    assert "Traceback" in capsys.readouterr().err
    assert ask("item/0")[0] == 200
