"""Which language a text is in, as far as the platform tells them apart: Chinese or English."""

from __future__ import annotations

import re
from typing import Literal

Language = Literal["en", "zh"]

_QUOTED = re.compile(r"```.*?```|\"[^\"\n]*\"", re.DOTALL)
_LATIN_WORD = re.compile(r"[A-Za-z]+")


def language_of(text: str) -> Language:
    """`zh` or `en`, whatever it quotes; what is neither counts as `en`.

    Chinese tasks are full of English names, so a Chinese character weighs as much as an English word.
    """
    prose = _QUOTED.sub("", text)
    chinese = sum("\u4e00" <= c <= "\u9fff" for c in prose)
    return "zh" if chinese and chinese >= len(_LATIN_WORD.findall(prose)) else "en"


def other_language(language: Language) -> Language:
    return "en" if language == "zh" else "zh"
