"""Web addresses as verifiers compare them: two spellings of one address are equal."""

from __future__ import annotations

import posixpath
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def normalised(url: str, *, fragment: bool = False) -> str:
    """`url` with letter case, default port, dot segments, needless escapes and order of the query settled.

    A trailing slash stays what it is, except that an empty path is `/`. The fragment is dropped unless
    `fragment`. What is no URL comes back as it is.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return url
    if not parts.netloc:
        return url
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    netloc = host if port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{port}"
    query = urlencode(sorted(parse_qsl(parts.query, keep_blank_values=True)))
    return urlunsplit((parts.scheme, netloc, _path(parts.path), query, parts.fragment if fragment else ""))


def same_url(url: str, expected: str) -> bool:
    """Whether the two are one address; their fragments count where `expected` has one."""
    fragment = "#" in expected
    return normalised(url, fragment=fragment) == normalised(expected, fragment=fragment)


def _path(path: str) -> str:
    resolved = posixpath.normpath(path) if path else "/"
    if path.endswith(("/", "/.", "/..")) and not resolved.endswith("/"):
        resolved += "/"
    # normpath keeps two leading slashes, and an escaped slash is not one.
    kept = resolved.replace("%2F", "%252F").replace("%2f", "%252F")
    return quote("/" + unquote(kept).lstrip("/"), safe="/%:@!$&'()*+,;=~")
