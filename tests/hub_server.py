"""A Hugging Face Hub of the test's own: what its client needs to send a dataset, and nothing more.

Files that end in .parquet go by LFS, the others within the commit, as on the Hub itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Hub:
    """What the Hub has: its one repository's files by path, and each commit's message."""

    token: str
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    """What came by LFS, by its SHA-256."""

    def reset(self, token: str) -> None:
        """Let it have nothing, and let this token write."""
        self.token = token
        for each in (self.files, self.commits, self.created, self.requests, self.stored):
            each.clear()

    def commit(self, lines: list[dict[str, Any]]) -> dict[str, str]:
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                self.commits.append(value["summary"])
            elif line["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.files[value["path"]] = self.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                del self.files[value["path"]]
            else:
                raise ValueError(line["key"])
        return {"commitUrl": f"{self.url}/datasets/me/set/commit/abc", "commitOid": "abc"}


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self) -> None:
        self.hub.requests.append(f"GET {self.path}")
        if not self._may():
            self._answer({"error": "Invalid username or password."}, 401)
        elif "/tree/" in self.path:
            found = [
                {"type": "file", "path": path, "size": len(data), "oid": "0"}
                for path, data in self.hub.files.items()
            ]
            self._answer(found)
        else:
            self._answer({"id": "me/set", "sha": "abc", "siblings": [], "private": True})

    def do_PUT(self) -> None:
        body = self._body()
        digest = hashlib.sha256(body).hexdigest()
        assert self.path.endswith(digest)
        self.hub.stored[digest] = body
        self._answer({})

    def do_POST(self) -> None:
        body = self._body()
        self.hub.requests.append(f"POST {self.path}")
        if not self._may():
            self._answer({"error": "Invalid username or password."}, 401)
        elif self.path == "/api/repos/create":
            self.hub.created.append(json.loads(body))
            self._answer({"url": f"{self.hub.url}/datasets/me/set"})
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            modes = [
                {"path": each["path"], "shouldIgnore": False, "uploadMode": _mode(each["path"])}
                for each in json.loads(body)["files"]
            ]
            self._answer({"files": modes})
        elif self.path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**each, "actions": {"upload": {"href": f"{self.hub.url}/store/{each['oid']}"}}}
                for each in json.loads(body)["objects"]
            ]
            self._answer({"transfer": "basic", "objects": objects})
        elif "/commit/" in self.path:
            self._answer(self.hub.commit([json.loads(line) for line in body.splitlines()]))
        else:
            self._answer({"error": f"no {self.path} here"}, 404)

    def log_message(self, format: str, *args: object) -> None:
        """The tests look at `requests`."""

    def _may(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, what: object, status: int = 200) -> None:
        data = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _mode(path: str) -> str:
    return "lfs" if path.endswith(".parquet") else "regular"


@contextmanager
def hub_server(token: str) -> Iterator[Hub]:
    """A Hub with an empty repository that lets this token write."""
    hub = Hub(token)
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield hub
        finally:
            server.shutdown()
