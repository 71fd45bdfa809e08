"""The pages that are measured, served on 127.0.0.1: a small one and one of 500 rows, each with a button."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COUNTER = """<button onclick="count.textContent = +count.textContent + 1">Add one</button><p id=count>0</p>"""
FORM = "".join(f"<label>Field {i} <input name=f{i}></label>" for i in range(8))
LINKS = "".join(f"<li><a href=/{i}>Page {i}</a></li>" for i in range(12))
ROW = """<tr><td>{i}</td><td>Product {i}</td><td>{i}.99 EUR</td><td><a href=/{i}>Details</a></td>
<td><input type=checkbox aria-label="Select {i}"></td><td><button>Add {i} to the cart</button></td></tr>"""
ROWS = 500

SMALL = f"<!doctype html><title>Small</title><h1>Counter</h1>{COUNTER}<form>{FORM}</form><ul>{LINKS}</ul>"
LARGE = (
    f"<!doctype html><title>Large</title><h1>Products</h1>{COUNTER}<table>"
    f"{''.join(ROW.format(i=i) for i in range(ROWS))}</table>"
)
PAGES = {"/small": SMALL, "/large": LARGE}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = PAGES.get(self.path, "").encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: stdout is the figures'."""


@contextmanager
def pages() -> Iterator[str]:
    """The address they are served at, without a slash at its end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
