"""The page's server: on this machine alone, for whoever has the address with its secret.

The address carries a token of 128 random bits. A request without it, with the name of another host (a page elsewhere
that points its own name at this machine), or a decision that does not come as JSON (what a form of another page could
send) is refused. The page may run its own script alone and ask nobody else for anything.
"""

from __future__ import annotations

import json
import re
import secrets
import socketserver
import sys
import threading
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, Self, cast

from sightline.errors import DataError, DecodeError, SightlineError
from sightline.reviewing.decisions import Journal
from sightline.reviewing.session import Session

HOST = "127.0.0.1"

NAMES = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
"""What a browser may have called the server; the port may be that of a tunnel."""

ASSETS = {
    "": ("review.html", "text/html"), "review.css": ("review.css", "text/css"),
    **{name: (name, "text/javascript") for name in ("review.js", "page.js", "drawing.js", "relabelling.js")},
    "icon.svg": ("icon.svg", "image/svg+xml"),
}  # fmt: skip
"""What the page is made of → file and media type."""

POLICY = ("default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")  # fmt: skip

HEADERS = {
    "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
}  # fmt: skip

MAX_BODY = 1 << 16
"""Bytes of a decision; a reason has 2,000 characters."""

Answer = tuple[HTTPStatus, bytes, str]


class Review:
    """The page of a session while it is open: a context manager that ends the server and closes the journal."""

    def __init__(self, session: Session, journal: Journal, port: int = 0) -> None:
        """Serve at once, on any free port or the given one. Raises DataError when the port is taken."""
        self.session, self._journal = session, journal
        self._token = secrets.token_urlsafe(16)
        try:
            self._server = _Server((HOST, port), _Handler)
        except (OSError, OverflowError) as e:
            raise DataError(f"Port {port} of {HOST} cannot be had ({getattr(e, 'strerror', None) or e}). Leave --port "
                            "out for any free one.") from None  # fmt: skip
        self._server.session, self._server.token = session, self._token
        self._thread = threading.Thread(target=self._server.serve_forever, name="sightline-review", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Address of the page, with its secret."""
        return f"http://{HOST}:{self._server.server_address[1]}/{self._token}/"

    def wait(self) -> None:
        """Return when the person interrupts (Ctrl-C)."""
        try:
            while self._thread.is_alive():
                self._thread.join(1.0)
        except KeyboardInterrupt:
            return

    def close(self) -> None:
        """End the server and close the file of decisions, in which all of them are already."""
        self._server.is_open = False  # connections that are kept alive have threads of their own
        self._server.shutdown()
        self._server.server_close()
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{len(self.session.items):,} findings, {self.session.num_decided:,} decided · {self.url}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    session: Session
    token: str
    is_open = True

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer would ask the name service for the name of 127.0.0.1
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a tab that was closed while pictures came
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sightline", ""
    timeout = 60

    @property
    def _session(self) -> Session:
        return cast(_Server, self.server).session

    def do_GET(self) -> None:
        """Answer a question."""
        self._reply(self._get)

    def do_POST(self) -> None:
        """Take a decision."""
        self._reply(self._post)

    def _reply(self, answer: Any) -> None:
        if not cast(_Server, self.server).is_open:
            self.close_connection = True
            return
        path = self._path()
        try:
            status, body, kind = _refused(HTTPStatus.NOT_FOUND, "not found") if path is None else answer(path)
        except DecodeError as e:
            status, body, kind = _refused(HTTPStatus.NOT_FOUND, str(e))
        except SightlineError as e:
            status, body, kind = _refused(HTTPStatus.CONFLICT, str(e))
        except Exception as e:  # noqa: BLE001 — the border: a defect keeps its traceback, and the review goes on
            traceback.print_exception(e)
            said = f"This is a defect of Sightline ({type(e).__name__}: {e}); please report what the terminal shows."
            status, body, kind = _refused(HTTPStatus.INTERNAL_SERVER_ERROR, said)
        if status >= HTTPStatus.BAD_REQUEST:
            self.close_connection = True  # the body of a refused request was perhaps not read
        self.send_response(status)
        if self.close_connection:
            self.send_header("Connection", "close")
        is_picture = kind.startswith("image/") and status == HTTPStatus.OK
        headers = {
            **HEADERS, "Content-Type": kind if kind.startswith("image/") else f"{kind}; charset=utf-8",
            "Content-Length": str(len(body)), "Cache-Control": "private, max-age=3600" if is_picture else "no-store",
        }  # fmt: skip
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _path(self) -> str | None:
        """What comes behind the token; None for who does not have it, or comes by another name."""
        _, _, asked = self.path.partition("?")[0].partition("/")
        token, slash, rest = asked.partition("/")
        has_token = secrets.compare_digest(token.encode(), cast(_Server, self.server).token.encode())
        return rest if has_token and slash and NAMES.fullmatch(self.headers.get("Host", "")) else None

    def _get(self, path: str) -> Answer:
        if path in ASSETS:
            name, kind = ASSETS[path]
            return HTTPStatus.OK, files("sightline.reviewing").joinpath(name).read_bytes(), kind
        what, *numbers = path.split("/")
        if path == "overview":
            return _json(self._session.overview())
        if all(n.isdecimal() and n.isascii() and len(n) < 12 for n in numbers):
            if what == "item" and len(numbers) == 1:
                return _json(self._session.item(int(numbers[0])))
            if what == "picture" and len(numbers) == 2:
                body, kind = self._session.picture(int(numbers[0]), int(numbers[1]))
                return HTTPStatus.OK, body, kind
        return _refused(HTTPStatus.NOT_FOUND, "not found")

    def _post(self, path: str) -> Answer:
        said = self._body()
        if said is None or path not in {"decide", "undo"}:
            return _refused(HTTPStatus.BAD_REQUEST, "a decision is a JSON object")
        if path == "undo":
            return _json(self._session.undo())
        kinds = {"n": int, "action": str, "target": int, "value": str, "why": str}
        if said.keys() - kinds or any(not isinstance(v, kinds[k]) or isinstance(v, bool) for k, v in said.items()):
            return _refused(HTTPStatus.BAD_REQUEST, f"a decision has {', '.join(kinds)}")
        return _json(self._session.decide(said.pop("n", -1), said.pop("action", ""), **said))

    def _body(self) -> dict[str, Any] | None:
        """The JSON object that was sent; None for anything else."""
        length = self.headers.get("Content-Length", "")
        if self.headers.get_content_type() != "application/json" or not length.isdecimal() or int(length) > MAX_BODY:
            return None
        try:
            value = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError, TimeoutError):  # also brackets without end, or a body that never comes
            return None
        return value if isinstance(value, dict) else None

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: the lines would hold the secret."""


def _json(value: Any) -> Answer:
    return HTTPStatus.OK, json.dumps(value, ensure_ascii=False, allow_nan=False).encode(), "application/json"


def _refused(status: HTTPStatus, why: str) -> Answer:
    return status, json.dumps({"error": why}, ensure_ascii=False).encode(), "application/json"
