"""Sentences that can be written from parameters and read back: templates, and the fields that fill them.

Languages and phrases belong here; what a task means and how it is solved belongs in `families`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
Phrase = tuple[str, str]
"""The same words in English and in Chinese."""

_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def phrase(words: Phrase, language: Language) -> str:
    """The half of `words` that is in `language`."""
    return words[LANGUAGES.index(language)]


class Field(ABC):
    """One hole in a template: `read` gives back what was written, in either language."""

    @abstractmethod
    def pattern(self, language: Language) -> str:
        """A regular expression without capturing groups that matches what `write` writes."""

    @abstractmethod
    def write(self, value: Any, language: Language) -> str: ...

    @abstractmethod
    def read(self, text: str, language: Language) -> Any: ...


class Number(Field):
    """An integer, or a float when written with a point."""

    def pattern(self, language: Language) -> str:
        return r"-?\d+(?:\.\d+)?"

    def write(self, value: float, language: Language) -> str:
        return str(value)

    def read(self, text: str, language: Language) -> float:
        return float(text) if "." in text else int(text)


@dataclass(frozen=True)
class Text(Field):
    """Free text of the given characters, taken as it stands; `around` puts quotes about it."""

    characters: str = r"[A-Za-z_]\w*"
    around: str = ""

    def pattern(self, language: Language) -> str:
        return f"{re.escape(self.around[:1])}{self.characters}{re.escape(self.around[1:])}"

    def write(self, value: str, language: Language) -> str:
        return f"{self.around[:1]}{value}{self.around[1:]}"

    def read(self, text: str, language: Language) -> str:
        return text[1:-1] if self.around else text


QUOTED = Text(characters=r'[^"\n]+?', around='""')


@dataclass(frozen=True)
class Choice(Field):
    """One of a fixed set of values, each with its phrase."""

    phrases: Mapping[Any, Phrase]

    def pattern(self, language: Language) -> str:
        words = sorted((phrase(p, language) for p in self.phrases.values()), key=len, reverse=True)
        return f"(?:{'|'.join(re.escape(word) for word in words)})"

    def write(self, value: Any, language: Language) -> str:
        return phrase(self.phrases[value], language)

    def read(self, text: str, language: Language) -> Any:
        return next(value for value, words in self.phrases.items() if phrase(words, language) == text)


@dataclass(frozen=True)
class Compound(Field):
    """A phrase of several fields, the value a tuple; `templates` holds `{0}`, `{1}` ... in that order."""

    templates: Phrase
    fields: tuple[Field, ...]

    def pattern(self, language: Language) -> str:
        return self._expression(language, capture=False)

    def write(self, value: Sequence[Any], language: Language) -> str:
        parts = [field.write(part, language) for field, part in zip(self.fields, value, strict=True)]
        return phrase(self.templates, language).format(*parts)

    def read(self, text: str, language: Language) -> tuple[Any, ...]:
        found = re.fullmatch(self._expression(language, capture=True), text)
        if found is None:
            raise ValueError(f"{text!r} is not of the form {phrase(self.templates, language)!r}.")
        return tuple(
            field.read(part, language) for field, part in zip(self.fields, found.groups(), strict=True)
        )

    def _expression(self, language: Language, *, capture: bool) -> str:
        brackets = "({})" if capture else "(?:{})"
        pieces = re.split(r"\{(\d)\}", phrase(self.templates, language))
        return "".join(
            brackets.format(self.fields[int(piece)].pattern(language)) if at % 2 else re.escape(piece)
            for at, piece in enumerate(pieces)
        )


class Phrased(Compound):
    """A phrase about one field, whose value stands alone; `{0}` is its place."""

    def __init__(self, templates: Phrase, field: Field) -> None:
        super().__init__(templates, (field,))

    def write(self, value: Any, language: Language) -> str:
        return super().write((value,), language)

    def read(self, text: str, language: Language) -> Any:
        return super().read(text, language)[0]


@dataclass(frozen=True)
class Either(Field):
    """One of several fields; the value is a pair of the field's key and what that field holds."""

    fields: Mapping[str, Field]

    def pattern(self, language: Language) -> str:
        return f"(?:{'|'.join(field.pattern(language) for field in self.fields.values())})"

    def write(self, value: tuple[str, Any], language: Language) -> str:
        return self.fields[value[0]].write(value[1], language)

    def read(self, text: str, language: Language) -> tuple[str, Any]:
        key = next(k for k, field in self.fields.items() if re.fullmatch(field.pattern(language), text))
        return key, self.fields[key].read(text, language)


@dataclass(frozen=True)
class Listing(Field):
    """A tuple of values joined by `comma`, the last by `last`; an empty one vanishes with its `lead`."""

    item: Field
    last: Phrase = (" and ", "和")
    comma: Phrase = (", ", "、")
    lead: Phrase | None = None

    def pattern(self, language: Language) -> str:
        item = self.item.pattern(language)
        joints = f"(?:{re.escape(phrase(self.comma, language))}|{re.escape(phrase(self.last, language))})"
        items = f"{item}(?:{joints}{item})*"
        return items if self.lead is None else f"(?:{re.escape(phrase(self.lead, language))}{items})?"

    def write(self, value: Sequence[Any], language: Language) -> str:
        words = [self.item.write(one, language) for one in value]
        if not words:
            return ""
        head, tail = words[:-1], words[-1]
        text = phrase(self.last, language).join(
            [phrase(self.comma, language).join(head), tail] if head else [tail]
        )
        return text if self.lead is None else phrase(self.lead, language) + text

    def read(self, text: str, language: Language) -> tuple[Any, ...]:
        if self.lead is not None:
            text = text.removeprefix(phrase(self.lead, language))
        return tuple(self.item.read(m[0], language) for m in re.finditer(self.item.pattern(language), text))


class Wording:
    """One sentence in one language, its template with `{field}` where a parameter stands."""

    def __init__(self, language: Language, template: str, fields: Mapping[str, Field]) -> None:
        self.language: Language = language
        self._fields = fields
        self._pieces = re.split(r"\{(\w+)\}", template)
        self._expression = re.compile("".join(self._patterns()))

    def render(self, values: Mapping[str, Any]) -> str:
        """The sentence with every field written in."""
        return "".join(
            self._fields[piece].write(values[piece], self.language) if at % 2 else piece
            for at, piece in enumerate(self._pieces)
        )

    def parse(self, text: str) -> dict[str, Any] | None:
        """The values that give `text`, or None where it is another sentence."""
        found = self._expression.fullmatch(text.strip())
        if found is None:
            return None
        return {
            name: self._fields[name].read(value, self.language) for name, value in found.groupdict().items()
        }

    def _patterns(self) -> Iterator[str]:
        seen: set[str] = set()
        for at, piece in enumerate(self._pieces):
            if at % 2 == 0:
                yield re.escape(piece)
            elif piece in seen:
                yield f"(?P={piece})"
            else:
                seen.add(piece)
                yield f"(?P<{piece}>{self._fields[piece].pattern(self.language)})"


def likeness(one: str, other: str) -> float:
    """Jaccard similarity of two texts' 3-grams, from 0 to 1: of words, or of characters in Chinese."""
    a, b = _trigrams(one), _trigrams(other)
    return len(a & b) / len(a | b) if a | b else 1.0


@lru_cache(maxsize=8192)
def _trigrams(text: str) -> frozenset[tuple[str, ...]]:
    lowered = text.lower()
    tokens = list("".join(lowered.split())) if _CHINESE.search(text) else re.findall(r"\w+", lowered)
    return frozenset(tuple(tokens[at : at + 3]) for at in range(max(1, len(tokens) - 2)))
