"""A loopback server that speaks Kaggle's wire format, for the real client, and the faults it can simulate.

The client reaches it as its proxy, so that it also plays the storage host that Kaggle redirects downloads to.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import threading
import time
import zipfile
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SIGNATURE = "signed-9f8e7d6c"
STORAGE = "storage.example"
MODIFIED = "Sat, 01 Jan 2022 00:00:00 GMT"


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip archive of files, the same bytes each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


@dataclass
class Seen:
    """A request as received."""

    host: str
    call: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Fault:
    """A wrong answer: a status, or a body that stops after `cut` bytes or continues late."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None
    hang: float = 0.0
    drip: float = 0.0


def says(code: int, message: str, status: int | None = None, **headers: str) -> Fault:
    """Return an error in the format of Kaggle's API."""
    body = json.dumps({"code": code, "message": message}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(status or code, {"Content-Type": "application/json"} | named, body)


class KaggleServer(ThreadingHTTPServer):
    """Serves the archive of one set, `owner/heads`, three versions, and of one competition, `brains`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.reset()

    def reset(self) -> None:
        """Forget all requests and faults."""
        self.archive = zipped({"train/one.png": b"one" * 50, "test/two.png": b"two" * 50, "labels.csv": b"a,b\n"})
        self.seen: list[Seen] = []
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.always: dict[str, Fault] = {}
        self.ranges = True
        self.etag = True

    def calls(self, call: str) -> list[Seen]:
        """List the requests of one kind: an API method, or `archive`."""
        return [seen for seen in self.seen if seen.call == call]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that direct the real client to this server."""
        proxy = f"http://127.0.0.1:{self.server_address[1]}"
        return {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            **dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), proxy),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
        }

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect, as those of some tests do."""


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: KaggleServer

    def log_message(self, format: str, *values: object) -> None:
        """Stay quiet."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        self._handle(urlsplit(self.path).path.rpartition("/")[2], body)

    def do_GET(self) -> None:
        self._handle("archive", {})

    def _handle(self, call: str, body: dict[str, Any]) -> None:
        self.server.seen.append(Seen(urlsplit(self.path).netloc, call, dict(self.headers), body))
        fault = self.server.faults[call].popleft() if self.server.faults[call] else self.server.always.get(call)
        if fault is not None:
            time.sleep(fault.hang if fault.cut is None else 0)
            if fault.status is not None:
                self._answer(fault.status, fault.headers, fault.body)
                return
        if call == "archive":
            self._send_archive(fault or Fault())
        else:
            self._answer(*getattr(self, f"_{call}")(body))

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _json(self, value: Any) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()

    def _error(self, code: int, message: str) -> tuple[int, dict[str, str], bytes]:
        fault = says(code, message)
        return code, fault.headers, fault.body

    def _redirect(self) -> tuple[int, dict[str, str]]:
        return 302, {"Location": f"http://{STORAGE}/archive.zip?X-Goog-Signature={SIGNATURE}"}

    def _DownloadDataset(self, body: dict[str, Any]) -> Any:  # noqa: N802
        known = (body.get("ownerSlug"), body.get("datasetSlug")) == ("owner", "heads")
        return self._redirect() if known and body["datasetVersionNumber"] <= 3 else self._error(404, "Not found")

    def _DownloadDataFiles(self, body: dict[str, Any]) -> Any:  # noqa: N802
        return self._redirect() if body["competitionName"] == "brains" else self._error(404, "Not found")

    def _GetDataset(self, body: dict[str, Any]) -> Any:  # noqa: N802
        if body["datasetSlug"] != "heads":
            return self._error(404, "Not found")
        about = {"title": "Heads", "ownerName": "An Owner", "licenseName": "Unknown", "currentVersionNumber": 3}
        return self._json(about | {"ref": "owner/heads"})

    def _GetDatasetMetadata(self, body: dict[str, Any]) -> Any:  # noqa: N802
        info = {"licenses": [{"name": "CC-BY-4.0"}], "userSpecifiedSources": "doi:10.1/heads"}
        return self._json({"info": info})

    def _GetCompetition(self, body: dict[str, Any]) -> Any:  # noqa: N802
        return self._json({"title": "Brains", "organizationName": "A Society", "ref": "brains"})

    def _ListDatasets(self, body: dict[str, Any]) -> Any:  # noqa: N802
        return self._json({"datasets": [{"ref": "owner/heads"}, {"ref": "other/unrelated-things"}]})

    def _ListCompetitions(self, body: dict[str, Any]) -> Any:  # noqa: N802
        return self._json({"competitions": [{"ref": "https://www.kaggle.com/competitions/brains"}]})

    def _IntrospectToken(self, body: dict[str, Any]) -> Any:  # noqa: N802
        return self._json({"active": True, "username": "somebody"})

    def _send_archive(self, fault: Fault) -> None:
        data, start, status = self.server.archive, 0, 200
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        headers = {"Content-Type": "application/zip", "Last-Modified": MODIFIED}
        headers |= {"ETag": etag} if self.server.etag else {}
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if self.server.ranges:
            headers["Accept-Ranges"] = "bytes"
            if wanted and self.headers.get("If-Range") in (etag, MODIFIED):
                start, status = int(wanted[1]), 206
                if start >= len(data) > 0:
                    self._answer(416, {})
                    return
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(data) - start)}).items():
            self.send_header(name, value)
        self.end_headers()
        rest = data[start:] if fault.cut is None else data[start : start + fault.cut]
        for position in range(0, len(rest), 1 << 16):
            self.wfile.write(rest[position : position + (1 << 16)])
            self.wfile.flush()
            time.sleep(fault.drip)
        if fault.cut is not None:
            time.sleep(fault.hang)
        self.close_connection = True
