"""What a dataset is to hold, declared: the one small YAML of a release, or the same by arguments.

Everything that decides which rows a dataset has, and how they are written, is here; nothing reads a setting.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml  # type: ignore[import-untyped]
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from adp_assets.curation.examples import Shape
from runtimes.errors import ConfigurationError

REMEDY = "Write one key a line, such as `min_reward: 1`; docs/datasets.md has an example."

Fate = Literal["drop", "keep"]
Bounds = tuple[float | None, float | None]
"""The least and the most, both included; null for no bound."""


def _ordered(bounds: Bounds) -> Bounds:
    low, high = bounds
    if low is not None and high is not None and low > high:
        raise ValueError(f"the least, {low:g}, is above the most, {high:g}")
    return bounds


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _each_once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _shares(value: dict[str, float]) -> dict[str, float]:
    for name, share in value.items():
        if not (share > 0 and math.isfinite(share)):
            raise ValueError(f"the share of {name} is {share:g}, and must be above 0, and finite")
    return value


def _splits(value: dict[str, float]) -> dict[str, float]:
    for name in value:
        if not re.fullmatch(r"[A-Za-z0-9_]{1,50}", name):
            raise ValueError(f"a split cannot be named {name!r}: use letters, digits and '_'")
    return value


def _address(value: str) -> str:
    if re.match(r"[^/]*://[^/]*@", value):
        raise ValueError("an address must not hold a user or password: set them in the environment")
    return value


Names = Annotated[list[str], BeforeValidator(_listed), AfterValidator(_each_once)]
Range = Annotated[Bounds, AfterValidator(_ordered)]
Shares = Annotated[dict[str, float], AfterValidator(_shares)]


class Recipe(BaseModel):
    """A dataset's declaration. Empty lists take everything; `docs/datasets.md` explains each key.

    `difficulty` is that of the task, from 0 to 1 (`task_stats`); `near_duplicates` the Jaccard similarity of
    word 3-grams from which two rows are one; `max_coverage` how much of an evaluation item a row may hold.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rounds: Names = []
    task_types: Names = []
    teachers: Names = []
    models: Names = []
    sources: Names = []
    operators: Names = []
    languages: Names = []

    builtin: bool = False
    judged: bool = False
    unverified: bool = False
    min_reward: float = Field(1.0, ge=0, le=1)
    difficulty: Range = (None, None)
    steps: Range = (1, None)
    max_characters: int | None = Field(None, ge=1)
    max_tokens: int | None = Field(None, ge=1)
    errors: Literal["keep", "drop", "only"] = "keep"
    max_loops: int | None = Field(2, ge=1)
    max_repetition: float | None = Field(0.5, ge=0, le=1)
    truncated: Fate = "drop"
    secrets: Fate = "drop"
    personal_data: Fate = "drop"

    near_duplicates: float | None = Field(0.8, ge=0.5, le=1)
    evaluation: str = ""
    max_coverage: float = Field(0.2, ge=0, le=1)

    per_root: int | None = Field(None, ge=1)
    max_rows: int | None = Field(None, ge=1)
    mixture_by: Literal["task_type", "source", "operator", "teacher", "language", "domain"] = "task_type"
    mixture: Shares = {}
    splits: Annotated[Shares, AfterValidator(_splits)] = {"train": 0.9, "test": 0.1}
    seed: int = 0

    shapes: Annotated[list[Shape], BeforeValidator(_listed)] = Field(["sft"], min_length=1)
    formats: Names = Field(["hf"], min_length=1)
    pairs_per_task: int = Field(4, ge=1)
    to: Annotated[str, AfterValidator(_address)] = ""

    @model_validator(mode="after")
    def _agrees(self) -> Recipe:
        if "train" not in self.splits:
            raise ValueError("splits has no `train`")
        if abs(sum(self.splits.values()) - 1) > 1e-6:
            raise ValueError(f"the shares of splits add up to {sum(self.splits.values()):g}, not to 1")
        return self


def recipe_of(values: Mapping[str, Any], place: str) -> Recipe:
    """A recipe from plain values. Raises ConfigurationError that names `place`, the key and its fault."""
    try:
        return Recipe(**values)
    except ValidationError as error:
        faults = "; ".join(_in_words(dict(fault)) for fault in error.errors())
        raise ConfigurationError(
            f"{place}: {faults}.", f"The keys are: {', '.join(Recipe.model_fields)} (docs/datasets.md)."
        ) from error


def read_recipe(path: Path) -> dict[str, Any]:
    """The values of a recipe's file, as `parse_recipe` gives them."""
    try:
        return parse_recipe(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigurationError(f"The recipe {path} cannot be read: {error.strerror}.", REMEDY) from error


def parse_recipe(text: str | bytes, place: str) -> dict[str, Any]:
    """The values of a recipe in YAML, for `recipe_of`. Raises ConfigurationError naming the line."""
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        words = " ".join(str(error).split())
        raise ConfigurationError(f"{place} is not YAML: {words}.", REMEDY) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigurationError(f"{place} is a {type(values).__name__}, not keys and values.", REMEDY)
    return {str(key): value for key, value in values.items()}


def _in_words(fault: dict[str, Any]) -> str:
    place = ".".join(map(str, fault["loc"]))
    said = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        return f"there is no key {place}"
    if place == "to":
        return f"{place}: {said}"
    return f"{place}: {said} (got {fault['input']!r})" if place else said
