"""What must never be written down, and how it is taken out of what is.

A `Redactor` knows values and replaces each, in every usual spelling, by `[redacted:NAME]`. It stands at the
edges, where a trajectory leaves `perform`, a line goes to the log or an error is told, never inside: agents,
verifiers and caches work on what was really said. `docs/secrets.md` says which edge keeps what from where.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

import msgspec

from runtimes.text import DEEPEST

T = TypeVar("T")

Secret = tuple[str, str]
"""The name to show for a value, and the value."""

IDENTITIES = frozenset(
    {"task_id", "runtime_id", "task_type", "round", "prompt_hash", "code_version", "snapshot", "screenshot"}
)
"""Fields of structs that rows and files are found by, or that are digests: left alone."""

_SECRET_NAME = re.compile(
    r"SECRET|PASSW|PASSPHRASE|CREDENTIAL|TOKEN|API_?KEY|(^|_)(KEYS?|AUTH)(_|$)|_PWD$", re.IGNORECASE
)
_NO_SECRET_NAME = re.compile(r"_(FILE|PATH|DIR|UR[LI]|NAME|HOST|PORT|SOCK)$", re.IGNORECASE)
_SESSION_NAME = re.compile(r"sess|sid$|token|auth|csrf|xsrf|jwt|secret|passw|api_?key", re.IGNORECASE)
_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w.+/=%~-]{20,}")

_BURIED = "[redacted:nested too deeply]"
"""In place of what lies deeper than anything needs to, where there is a secret at all."""

LEAST_LENGTH, SURE_LENGTH = 8, 16
"""Characters: what is shorter than the first is no secret, what is as long as the second may well be one."""


class Redactor:
    """Takes `secrets` out of text and JSON.

    A value is found as it is and as it looks in JSON (also in JSON within JSON), in a URL, in HTML and in
    base64, wherever it stands in what was encoded. Values too short to be secrets are not looked for; see
    `worth_hiding`. One of several lines is found line by line.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._secrets = tuple(secrets)
        marks = {
            spelling: f"[redacted:{_shown(name)}]"
            for name, value in self._secrets
            for line in value.splitlines()
            if worth_hiding(line.strip())
            for spelling in _spellings(line.strip())
        }
        # The longest first: a secret may be part of another.
        self._marks = sorted(marks.items(), key=lambda mark: -len(mark[0]))
        self._in_json = [_in_json(spelling).encode() for spelling, _ in self._marks]

    def knowing(self, secrets: Iterable[Secret]) -> Redactor:
        """One that takes out these, too."""
        more = tuple(secrets)
        return Redactor(more + self._secrets) if more else self

    def text(self, text: str) -> str:
        for spelling, mark in self._marks:
            if spelling in text:
                text = text.replace(spelling, mark)
        return text

    def finds(self, text: str) -> bool:
        """Whether there is any in it."""
        return any(spelling in text for spelling, _ in self._marks)

    def json(self, value: T) -> T:
        """A JSON value, or a struct such as a trajectory, without them; the very same where there was none.

        Keys of objects are gone through, too. What a struct is found by stays, and digests of what was there.
        """
        return self._clean(value) if self._is_in(value) else value

    def error(self, error: BaseException) -> None:
        """Take them out of an error's words, its causes' included, in place: others write those down."""
        seen: set[int] = set()
        link: BaseException | None = error
        while link is not None and id(link) not in seen:
            seen.add(id(link))
            link.args = tuple(self.text(arg) if isinstance(arg, str) else arg for arg in link.args)
            for name, value in list(vars(link).items()):
                if isinstance(value, str):
                    setattr(link, name, self.text(value))
            link = link.__cause__ or link.__context__

    def _is_in(self, value: Any) -> bool:
        """Whether any could be in it: a few searches through its JSON instead of many through its parts."""
        try:
            document = msgspec.json.encode(value)
        except (UnicodeEncodeError, TypeError, RecursionError):
            return True
        return any(spelling in document for spelling in self._in_json)

    def _clean(self, value: T, level: int = 0) -> T:
        cleaned: Any = value
        if level == DEEPEST and isinstance(value, dict | list | tuple | msgspec.Struct):
            cleaned = _BURIED
        elif isinstance(value, str):
            cleaned = self.text(value)
        elif isinstance(value, dict):
            cleaned = {self._clean(key): self._clean(item, level + 1) for key, item in value.items()}
        elif isinstance(value, list | tuple):
            cleaned = type(value)([self._clean(item, level + 1) for item in value])
        elif isinstance(value, msgspec.Struct):
            fields = (name for name in value.__struct_fields__ if name not in IDENTITIES)
            cleaned = msgspec.structs.replace(
                value, **{name: self._clean(getattr(value, name), level + 1) for name in fields}
            )
        return cleaned  # type: ignore[no-any-return]


def worth_hiding(value: str) -> bool:
    """Whether a value can be a secret: long, or less long and of more than letters or digits alone.

    `password`, `true` and `100000` stand where secrets should and in innocent text everywhere.
    """
    plain = value.isalpha() or value.isdigit()
    return len(value) >= SURE_LENGTH or (len(value) >= LEAST_LENGTH and not plain)


def secret_values(environment: Mapping[str, str]) -> Iterator[Secret]:
    """The secrets among environment variables.

    Those whose name says so (`*_API_KEY`, `*TOKEN*`, `*SECRET*`, `*PASSWORD*`), and the passwords inside
    addresses such as DATABASE_PATH, REDIS_URL and HTTPS_PROXY.
    """
    for name, value in environment.items():
        if _SECRET_NAME.search(name) and not _NO_SECRET_NAME.search(name):
            yield name, value
            yield from ((f"{name} {key}", item) for key, item in _members(value))
        for part in _secrets_in_address(value):
            yield name, part


def session_values(storage_state: Mapping[str, Any] | None) -> Iterator[Secret]:
    """What proves who one is to a site, among a browser context's cookies and local storage.

    `storage_state` is as Playwright gives it. A cookie that scripts cannot read is one, and whatever is named
    like a session or looks drawn at random; a chosen language or the goods in a cart are not.
    """
    for cookie in (storage_state or {}).get("cookies", ()):
        if cookie.get("httpOnly") or _proves(cookie["name"], cookie["value"]):
            yield f"cookie {cookie['name']}", cookie["value"]
    for origin in (storage_state or {}).get("origins", ()):
        for item in origin.get("localStorage", ()):
            if _proves(item["name"], item["value"]):
                yield f"storage {item['name']}", item["value"]


def _proves(name: str, value: str) -> bool:
    return bool(_SESSION_NAME.search(name) or _RANDOM.fullmatch(value))


def _members(value: str) -> Iterator[Secret]:
    """What a variable holds that is a JSON object, as MCP_SECRETS is: texts by name."""
    if value.startswith("{"):
        with suppress(msgspec.MsgspecError):
            yield from msgspec.json.decode(value, type=dict[str, str]).items()


def _secrets_in_address(value: str) -> Iterator[str]:
    if "://" not in value:
        return
    try:
        parts = urlsplit(value)
        password = parts.password or ""
    except ValueError:
        return
    yield password
    yield unquote(password)
    if not password and _RANDOM.fullmatch(parts.username or ""):
        yield parts.username or ""  # a token alone, as Git's hosts take it
    for key, item in parse_qsl(parts.query):
        if _SECRET_NAME.search(key):
            yield item


def _spellings(value: str) -> set[str]:
    """`value` as it is and as encoders write it."""
    quoted = {quote(value), quote(value, safe=""), quote_plus(value)}
    lower = {re.sub(r"%..", lambda code: code[0].lower(), text) for text in quoted}
    escaped = {html.escape(value), html.escape(value, quote=False)}
    in_base64 = set(_in_base64(value.encode("utf-8", "replace")))
    once = _in_strings({value, repr(value)[1:-1]})
    return once | _in_strings(once) | quoted | lower | escaped | in_base64


def _in_strings(texts: set[str]) -> set[str]:
    """The texts, and how they look within JSON's strings."""
    quoted = {json.dumps(text)[1:-1] for text in texts} | {_in_json(text) for text in texts}
    return texts | quoted | {text.replace("/", "\\/") for text in quoted}


def _in_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _in_base64(value: bytes) -> Iterator[str]:
    """The digits that `value` alone decides, at each of the three places within them it may begin at."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value).decode()
        own = encoded[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]
        yield own
        yield own.replace("+", "-").replace("/", "_")


def _shown(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)[:60]
