"""Data as scripts: what a page opened from a folder can load, since browsers let such a page fetch nothing.

Every script is one call, `report.receive(name, data)`. What the data hold stays data: no text in them can
end the script's element or its line. Keys have to be the page's own words, never a trajectory's: `__proto__`
as a key of a literal would be no key.
"""

from __future__ import annotations

import json
from typing import Any

_ESCAPES = {ord("<"): "\\u003c", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def literal(data: Any) -> str:
    """`data`, anything that JSON can hold, as a script may spell it."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES)


def script(name: str, spelled: str) -> bytes:
    """The script that hands a literal to the page under `name`.

    Lone surrogates, which no UTF-8 file can hold, are written as escapes.
    """
    return f"report.receive({literal(name)},{spelled});\n".encode("utf-8", "backslashreplace")
