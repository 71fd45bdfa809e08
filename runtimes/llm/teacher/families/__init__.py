"""All families of tasks, how one is recognised by its wording, and task sets drawn from them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import cycle
from typing import Any, NamedTuple

import msgspec

from runtimes.contracts import TaskSpec
from runtimes.llm.teacher.families.base import Family
from runtimes.llm.teacher.families.bound_code import CodeBoundFamily
from runtimes.llm.teacher.families.bound_pages import ReasoningBoundFamily, WebBoundFamily
from runtimes.llm.teacher.families.code_numbers import MultiplesFamily, WindowsFamily
from runtimes.llm.teacher.families.code_records import GroupingFamily, RankingFamily
from runtimes.llm.teacher.families.code_text import CipherFamily
from runtimes.llm.teacher.families.deep import DEEP
from runtimes.llm.teacher.families.mend import MendFamily
from runtimes.llm.teacher.families.multi_tool import (
    BestBuyFamily,
    LedgerFamily,
    PriceBookFamily,
    ReportFamily,
)
from runtimes.llm.teacher.families.pairs import PAIRS
from runtimes.llm.teacher.families.puzzles import PUZZLES
from runtimes.llm.teacher.families.reasoning import CouponFamily, StoryFamily
from runtimes.llm.teacher.families.reasoning_shop import BudgetFamily, CategoryCostFamily, StatementFamily
from runtimes.llm.teacher.families.simple import SimpleFamily
from runtimes.llm.teacher.families.web import CartFamily, OrdersFamily, ProductFactsFamily
from runtimes.llm.teacher.families.web_forms import BalancesFamily, ContactFamily, NewslettersFamily
from runtimes.llm.teacher.wording import LANGUAGES, Language, likeness

FAMILIES: tuple[SimpleFamily[Any], ...] = (
    MultiplesFamily(),
    WindowsFamily(),
    CipherFamily(),
    GroupingFamily(),
    RankingFamily(),
    ProductFactsFamily(),
    OrdersFamily(),
    CartFamily(),
    ContactFamily(),
    BalancesFamily(),
    NewslettersFamily(),
    StoryFamily(),
    CouponFamily(),
    CategoryCostFamily(),
    StatementFamily(),
    BudgetFamily(),
)
MULTI_TOOL: tuple[SimpleFamily[Any], ...] = (
    LedgerFamily(),
    PriceBookFamily(),
    BestBuyFamily(),
    ReportFamily(),
)
"""Longer tasks that take three tools or more; drawn only where they are asked for."""

ALL_FAMILIES = FAMILIES + MULTI_TOOL
SIMPLE: tuple[SimpleFamily[Any], ...] = ALL_FAMILIES + PUZZLES
"""What tasks are built of. Nobody samples puzzles: an operator of their own makes them."""

_OF_SIMPLE: tuple[Family[Any], ...] = (
    *(pairs(SIMPLE) for pairs in PAIRS),
    *(deep(SIMPLE) for deep in DEEP),
    CodeBoundFamily(SIMPLE),
    WebBoundFamily(SIMPLE),
    ReasoningBoundFamily(SIMPLE),
)
BUILT = (*_OF_SIMPLE, MendFamily((*SIMPLE, *_OF_SIMPLE)))
EVERY = SIMPLE + BUILT
TASK_TYPES = ("code", "web", "reasoning")
NEAR_COPY = 0.7
"""Two descriptions with a likeness of at least this much count as the same task."""

_TRIES = 200


class Recognised(NamedTuple):
    """What a description says: a task of `family` with `params`, in `language`."""

    family: Family[Any]
    params: Any
    language: Language


@lru_cache(maxsize=2048)
def recognise(description: str) -> Recognised | None:
    """The task a description words, or None where no family knows the wording."""
    for family in EVERY:
        if found := family.parse(description):
            return Recognised(family, *found)
    return None


def is_novel(description: str, others: list[str]) -> bool:
    """Whether a description is a near-copy of none of the others."""
    return all(likeness(description, other) < NEAR_COPY for other in others)


def sample_tasks(
    count: int,
    seed: int,
    types: Mapping[str, int] | None = None,
    families: Sequence[SimpleFamily[Any]] = FAMILIES,
) -> list[TaskSpec]:
    """`count` tasks of `families`, none a near-copy of another, the same for the same arguments.

    `types` says how many of each task type (shared evenly where None); within a type the families take
    turns, and so do the languages. Raises ValueError when `types` do not add up to `count`.
    """
    shares = dict(types) if types is not None else _even_shares(count)
    if sum(shares.values()) != count or not set(shares) <= set(TASK_TYPES):
        raise ValueError(f"types {shares} do not share out {count} tasks among {', '.join(TASK_TYPES)}.")
    rng = random.Random(seed)
    tasks: list[TaskSpec] = []
    for task_type, share in shares.items():
        own = [family for family in families if family.task_type == task_type]
        for number, family in zip(range(share), cycle(own), strict=False):
            turn = number // len(own)
            tasks.append(_draw(family, turn, [task.description for task in tasks], rng))
    return tasks


def _draw(family: SimpleFamily[Any], turn: int, others: list[str], rng: random.Random) -> TaskSpec:
    # Neighbouring families begin with different languages, or a short set would have one language only.
    language = LANGUAGES[(turn + ALL_FAMILIES.index(family)) % len(LANGUAGES)]
    for _ in range(_TRIES):
        params = family.sample(rng)
        description = family.render(params, language, rng.randrange(family.variety))
        if is_novel(description, others):
            task = family.task(params, description, f"{family.task_type}-{family.name}-{turn + 1:02d}")
            return msgspec.structs.replace(task, priority=1 + rng.randrange(10))
    raise ValueError(
        f"The family {family.name} has no further {language} task that is no near-copy. Ask for fewer tasks."
    )


def _even_shares(count: int) -> dict[str, int]:
    each, rest = divmod(count, len(TASK_TYPES))
    return {task_type: each + (at < rest) for at, task_type in enumerate(TASK_TYPES)}
