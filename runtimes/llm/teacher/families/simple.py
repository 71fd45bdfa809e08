"""A family that is worded in whole sentences of its own, and varied by a level."""

from __future__ import annotations

import dataclasses
import random
from abc import abstractmethod
from collections.abc import Mapping
from functools import cache, cached_property
from importlib.resources import files
from typing import ClassVar, TypeVar

import msgspec

from runtimes.llm.teacher.families.base import Family
from runtimes.llm.teacher.wording import Field, Language, Wording

P = TypeVar("P")

_OTHER_SUBJECTS = 0.5
"""How often a neighbour is of a subject that `sample` does not draw from."""


class SimpleFamily(Family[P]):
    """Tasks whose parameters are frozen dataclasses, each field of which stands in the wordings by name."""

    fields: ClassVar[Mapping[str, Field]]

    @property
    def variety(self) -> int:
        return len(self.wordings)

    @cached_property
    def wordings(self) -> tuple[Wording, ...]:
        """The family's sentences, from `wordings.json`."""
        return tuple(
            Wording(language, template, self.fields)
            for language, templates in _sentences()[self.name].items()
            for template in templates
        )

    def parse(self, description: str) -> tuple[P, Language] | None:
        for wording in self.wordings:
            values = wording.parse(description)
            if values is not None:
                return self.params(**values), wording.language
        return None

    def render(self, params: P, language: Language, wording: int = 0) -> str:
        own = [one for one in self.wordings if one.language == language]
        values = {field.name: getattr(params, field.name) for field in dataclasses.fields(params)}  # type: ignore[arg-type]
        return own[wording % len(own)].render(values)

    @abstractmethod
    def at_level(self, params: P, level: int, rng: random.Random) -> P:
        """The same parameters with as much added or taken away as makes them that hard."""

    def neighbour(self, params: P, rng: random.Random) -> P:
        level = self.level(params)
        while True:
            other = self.at_level(self.sample(rng), level, rng)
            moved = self.shifted(other, rng) if rng.random() < _OTHER_SUBJECTS else None
            if (other := moved[0] if moved else other) != params:
                return other

    def harder(self, params: P, rng: random.Random) -> P | None:
        level = self.level(params)
        return self.at_level(params, level + 1, rng) if level < self.top_level else None

    def easier(self, params: P, rng: random.Random) -> P | None:
        level = self.level(params)
        return self.at_level(params, level - 1, rng) if level > 1 else None


@cache
def _sentences() -> dict[str, dict[Language, list[str]]]:
    data = files(__package__).joinpath("wordings.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, dict[Language, list[str]]])
