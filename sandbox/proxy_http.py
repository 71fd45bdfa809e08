"""The HTTP of a proxy with its clients: a request read strictly, and the answers of the proxy itself.

Opens nothing; who reads, decides and relays is `egress.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from sandbox.addresses import split_authority

FaultKind = Literal[
    "refused", "malformed", "unauthorized", "name_not_resolved", "connection_failed", "timeout"
]

_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) (HTTP/1\.[01])")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_URL = re.compile(r"(?i:http)://([^/?#@\\]+)([/?][^#]*)?")
# Hop by hop, or written anew. Connection may name more, but cannot take Content-Length away.
_NOT_PASSED_ON = {
    *("connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate"),
    *("te", "trailer", "upgrade", "host", "content-length"),
}

_STATUS: dict[FaultKind, HTTPStatus] = {
    "refused": HTTPStatus.FORBIDDEN,
    "malformed": HTTPStatus.BAD_REQUEST,
    "unauthorized": HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
    "name_not_resolved": HTTPStatus.BAD_GATEWAY,
    "connection_failed": HTTPStatus.BAD_GATEWAY,
    "timeout": HTTPStatus.GATEWAY_TIMEOUT,
}
# RFC 9209, so that a client can tell an answer of the proxy from one of the site.
_PROXY_STATUS: dict[FaultKind, str] = {
    "refused": "http_request_denied",
    "malformed": "http_request_error",
    "unauthorized": "http_request_denied",
    "name_not_resolved": "dns_error",
    "connection_failed": "destination_unavailable",
    "timeout": "connection_timeout",
}


class ProxyFault(Exception):
    """What the proxy answers itself, and why. `reason` is printable ASCII."""

    def __init__(self, kind: FaultKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = re.sub(r"[^\x20-\x7e]", "?", reason[:300])

    def answer(self, remedy: str) -> bytes:
        """The whole answer. Its status line has the reason too: most clients show no more of a CONNECT."""
        status = _STATUS[self.kind]
        body = f"{self.reason}\n{remedy}"
        lines = [
            f"HTTP/1.1 {status.value} {status.phrase}: {self.reason}",
            "Content-Type: text/plain",
            f"Content-Length: {len(body)}",
            f"Proxy-Status: egress; error={_PROXY_STATUS[self.kind]}",
            "Connection: close",
        ]
        if self.kind == "unauthorized":
            lines.append('Proxy-Authenticate: Basic realm="egress"')
        return "\r\n".join([*lines, "", body]).encode("ascii")


@dataclass(frozen=True)
class Request:
    """What a client asks for. `head` goes to the server, then `body_bytes` bytes; a CONNECT has neither.

    `url` is the whole address, empty for a CONNECT. `authorization` is the client's to the proxy.
    """

    host: str
    port: int
    head: bytes = b""
    body_bytes: int = 0
    url: str = ""
    authorization: str = ""


def parse_request(head: bytes) -> Request:
    """The request in `head`, which comes without its empty line; its host is not checked. Raises ValueError.

    Host is the URL's, and a body must have a length, so that nothing the client adds can ask a granted
    address for another site that it serves as well.
    """
    line, *rest = head.decode("latin-1").split("\r\n")
    match = _REQUEST_LINE.fullmatch(line)
    fields = [field for field in map(_FIELD.fullmatch, rest) if field]
    if not match or len(fields) < len(rest):
        raise ValueError("is not a request of HTTP/1.1, or a header below is none")
    method, target, version = match.groups()
    headers = [(field[1], field[1].lower(), field[2].rstrip(" \t")) for field in fields]
    authorization = next((value for _, name, value in headers if name == "proxy-authorization"), "")
    if method == "CONNECT":
        host, port = split_authority(target)
        if port is None:
            raise ValueError("has no port")
        return Request(host, port, authorization=authorization)
    url = _URL.fullmatch(target)
    if not url:
        raise ValueError("does not ask for http://HOST/PATH (https takes CONNECT)")
    host, port = split_authority(url[1])

    lengths = {value for _, name, value in headers if name == "content-length"}
    if len(lengths) > 1 or not all(re.fullmatch("[0-9]{1,18}", length) for length in lengths):
        raise ValueError("has a Content-Length that is not one number")
    if any(name == "transfer-encoding" for _, name, _ in headers):
        raise ValueError("has a Transfer-Encoding, where only Content-Length is taken")
    options = ",".join(value for _, name, value in headers if name == "connection").lower().split(",")
    dropped = _NOT_PASSED_ON | {option.strip() for option in options}
    path = url[2] or "/"
    lines = [
        f"{method} {path if path.startswith('/') else '/' + path} {version}",
        f"Host: {url[1]}",
        *(f"{written}: {value}" for written, name, value in headers if name not in dropped),
        *(f"Content-Length: {length}" for length in lengths),
        "Connection: close\r\n\r\n",
    ]
    return Request(
        host,
        port or 80,
        "\r\n".join(lines).encode("latin-1"),
        int(max(lengths, default="0")),
        target,
        authorization,
    )
