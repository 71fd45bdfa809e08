"""Whether two runs of the same actions came to the same page. Text in, text out; no browser.

What differs from run to run without meaning anything is left out on both sides: refs, tracking parameters,
and what looks like an identifier or a time of day made for this one visit. Prices, counts and dates stay.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from urllib.parse import parse_qsl, urlsplit

MASK = "…"
"""What stands for a part that is not compared."""

_SHOWN = 120
_TRACKING = re.compile(
    r"utm_\w+|gclid|fbclid|msclkid|_ga|_gl|\w*sess(?:ion|id)\w*|sid|nonce|csrf\w*|_|ts", re.I
)
_VISIT_ONLY = re.compile(
    r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"  # UUID
    r"|\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{8,}\b"  # hexadecimal, digits and letters
    r"|\b(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{20,}\b"  # base 64
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"  # a moment
    r"|\b\d{1,2}:\d\d:\d\d\b"  # a time of day, seconds told
    r"|\b1[5-9]\d{8}(?:\d{3})?\b"  # seconds or milliseconds since 1970, 2017 to 2033
)
_REF = re.compile(r" ?\[(?:ref|box|cursor|in)=[^\]]*\]")


def same_url(one: str, other: str) -> bool:
    """Whether two addresses name the same page, the order of parameters and tracking ones aside."""
    return _url_parts(one) == _url_parts(other)


def same_text(one: str, other: str) -> bool:
    """Whether two observations show the same page."""
    return _lines(one) == _lines(other)


def first_difference(recorded: str, now: str) -> str:
    """The first place where two observations differ, in words; empty where they do not."""
    before, after = _lines(recorded), _lines(now)
    for tag, i, i_end, j, j_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "delete":
            return f"missing: {_shown(before[i:i_end])}"
        if tag == "insert":
            return f"new: {_shown(after[j:j_end])}"
        if tag == "replace":
            return f"recorded: {_shown(before[i:i_end])}; now: {_shown(after[j:j_end])}"
    return ""


def _url_parts(url: str) -> tuple[str, str, str, list[tuple[str, str]], str]:
    parts = urlsplit(url)
    query = [
        (name, _masked(value))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not _TRACKING.fullmatch(name)
    ]
    return parts.scheme, parts.netloc, _masked(parts.path) or "/", sorted(query), _masked(parts.fragment)


def _lines(observation: str) -> list[str]:
    """The lines to compare; the address is compared by itself."""
    plain = (_masked(_REF.sub("", line)).rstrip() for line in observation.split("\n"))
    return [line for line in plain if line and not line.startswith("URL: ")]


def _masked(text: str) -> str:
    return _VISIT_ONLY.sub(MASK, text)


def _shown(lines: list[str]) -> str:
    text = lines[0].strip()
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}{MASK}"
    return text if len(lines) == 1 else f"{text} (and {len(lines) - 1} more lines)"
