"""Reasoning families that read figures off the shop's pages and work on them in Python."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, TypeVar

from runtimes.contracts import Verifier
from runtimes.llm.teacher.browsing import SHOP, arrive, click, listed, open_product, read_orders
from runtimes.llm.teacher.families.base import Slip, Solution, Start, finish
from runtimes.llm.teacher.families.reasoning import ReasoningFamily, compute
from runtimes.llm.teacher.families.web import CUSTOMERS, PRODUCT, SUM, of_one_category, words, world
from runtimes.llm.teacher.snapshot import amount
from runtimes.llm.teacher.wording import Choice, Compound, Either, Listing, Number, Phrase, Phrased
from runtimes.web.site.catalogue import CATEGORIES, PRODUCTS

P = TypeVar("P")
CENT = 0.006
"""Answers are asked for to the cent; the verifier's own value is not rounded."""


class FiguresFamily(ReasoningFamily[P]):
    """A number to be computed from what the shop shows."""

    def constraints(self, params: P) -> dict[str, Any]:
        return {"start_url": SHOP}

    def max_steps(self, params: P) -> int:
        return 12


@dataclass(frozen=True)
class CategoryCost:
    """A statistic of a category's prices after `changes`, (kind, number) pairs in order."""

    category: str
    statistic: str
    changes: tuple[tuple[str, int], ...]


CATEGORY_WORDS: dict[str, Phrase] = {
    slug: (title, f"{chinese}({title})")
    for (slug, title), chinese in zip(
        CATEGORIES.items(), ("茶叶", "厨具", "文具", "电子", "户外", "图书"), strict=True
    )
}


class Step(NamedTuple):
    """One step of a computation: in words, for the solution in Python, for the verifier in JavaScript."""

    words: Phrase
    python: str
    javascript: str


STATISTICS = {
    "mean": Step(("the mean", "平均值"), "sum(prices) / len(prices)", "sum(values) / values.length"),
    "total": Step(("the total", "总和"), "sum(prices)", "sum(values)"),
    "gap": Step(
        ("the maximum minus the minimum", "最大与最小之差"),
        "max(prices) - min(prices)",
        "Math.max(...values) - Math.min(...values)",
    ),
    "median": Step(
        ("the median", "中位数"),
        "statistics.median(prices)",
        "(values.sort((a, b) => a - b)[(values.length - 1) >> 1] + values[values.length >> 1]) / 2",
    ),
}
_CHANGES = {
    "under": Step(
        ("leaving out everything above ${0}", "去掉高于{0}美元的"),
        "[p for p in prices if p <= {0}]",
        "values.filter((v) => v <= {0})",
    ),
    "over": Step(
        ("leaving out everything below ${0}", "去掉低于{0}美元的"),
        "[p for p in prices if p >= {0}]",
        "values.filter((v) => v >= {0})",
    ),
    "off": Step(
        ("each price cut by {0} percent", "每件降价百分之{0}"),
        "[p * (100 - {0}) / 100 for p in prices]",
        "values.map((v) => v * (100 - {0}) / 100)",
    ),
    "fee": Step(
        ("adding a fee of ${0} to each", "每件另加{0}美元手续费"),
        "[p + {0} for p in prices]",
        "values.map((v) => v + {0})",
    ),
}
_NUMBERS = {"under": range(45, 95, 5), "over": range(5, 15), "off": range(3, 45, 4), "fee": range(1, 9)}
"""Bounds that empty no category, discounts in percent, fees in dollars."""


class CategoryCostFamily(FiguresFamily[CategoryCost]):
    name = "category_cost"
    params = CategoryCost
    fields: ClassVar = {
        "category": Choice(CATEGORY_WORDS),
        "statistic": Choice({key: step.words for key, step in STATISTICS.items()}),
        "changes": Listing(
            Either({kind: Phrased(step.words, Number()) for kind, step in _CHANGES.items()}),
            lead=(", first ", ",先"),
            comma=(", then ", ",再"),
            last=(" and lastly ", ",最后"),
        ),
    }

    def sample(self, rng: random.Random) -> CategoryCost:
        empty = CategoryCost(rng.choice(list(CATEGORIES)), rng.choice(list(STATISTICS)), ())
        return self.at_level(empty, rng.randint(1, 3), rng)

    def level(self, params: CategoryCost) -> int:
        return 1 + len(params.changes)

    def at_level(self, params: CategoryCost, level: int, rng: random.Random) -> CategoryCost:
        # Filters come before what moves prices, so that no category is ever emptied.
        kinds = [kind for kind in _CHANGES if kind not in dict(params.changes)]
        rng.shuffle(kinds)
        kept = (*params.changes, *((kind, rng.choice(_NUMBERS[kind])) for kind in kinds))[: level - 1]
        return replace(
            params, changes=tuple(sorted(kept, key=lambda change: list(_CHANGES).index(change[0])))
        )

    def shifted(self, params: CategoryCost, rng: random.Random) -> tuple[CategoryCost, str]:
        category = rng.choice([slug for slug in CATEGORIES if slug != params.category])
        return replace(params, category=category), category

    def verifier(self, params: CategoryCost) -> Verifier:
        changes = " ".join(f"values = {_CHANGES[kind].javascript.format(n)};" for kind, n in params.changes)
        body = (
            f"{SUM} let values = world.filter((p) => p.category === {json.dumps(params.category)})"
            ".map((p) => p.price); "
            f"{changes} return {STATISTICS[params.statistic].javascript};"
        )
        return world("catalogue", body, compare="numeric", tolerance=CENT)

    def solve(self, params: CategoryCost, start: Start) -> Solution:
        page = yield from arrive(start)
        title = CATEGORIES[params.category]
        page = yield from click(page, "link", title, f"The category {title} lists its products with prices.")
        prices = [amount(row[2]) for row in page.rows()]
        changes = [f"prices = {_CHANGES[kind].python.format(n)}" for kind, n in params.changes]
        code = [f"prices = {prices}", *changes, f"print(f'{{{STATISTICS[params.statistic].python}:.2f}}')"]
        if params.statistic == "median":
            code.insert(0, "import statistics")
        thought = f"{len(prices)} prices: {listed(prices)}. Now {params.statistic} in Python."
        value = yield from compute("\n".join(code), thought, start.slip)
        if start.slip == Slip.FATAL:
            value = f"{float(value) + 1:.2f}"
        yield finish(value, f"The {params.statistic} comes to {value}.")


@dataclass(frozen=True)
class Statement:
    """A customer's orders added up, then `terms`, (kind, numbers) pairs, applied in order."""

    customer: str
    terms: tuple[tuple[str, Any], ...]


_TERMS = {
    "interest": Step(
        ("add {0}% compound interest for {1} years", "按年利率{0}%复利计{1}年"),
        "total *= (1 + {0} / 100) ** {1}",
        "total *= Math.pow(1 + {0} / 100, {1});",
    ),
    "rebate": Step(
        ("give a rebate of {0}%", "让利{0}%"), "total *= 1 - {0} / 100", "total *= 1 - {0} / 100;"
    ),
    "credit": Step(("subtract a credit of ${0}", "扣除{0}美元预付款"), "total -= {0}", "total -= {0};"),
}


class StatementFamily(FiguresFamily[Statement]):
    name = "statement"
    params = Statement
    fields: ClassVar = {
        "customer": words(CUSTOMERS),
        "terms": Listing(
            Either(
                {
                    kind: Compound(step.words, (Number(), Number()) if kind == "interest" else (Number(),))
                    for kind, step in _TERMS.items()
                }
            ),
            comma=("; ", ";"),
            last=("; after that ", ";然后"),
        ),
    }

    def sample(self, rng: random.Random) -> Statement:
        return Statement(rng.choice(CUSTOMERS), self._terms(rng, rng.randint(1, 3)))

    def _terms(self, rng: random.Random, count: int) -> tuple[tuple[str, Any], ...]:
        numbers = {
            "interest": (rng.randint(2, 9), rng.randint(2, 8)),
            "rebate": (rng.randint(3, 25),),
            "credit": (rng.randint(5, 60),),
        }
        return tuple((kind, numbers[kind]) for kind in rng.sample(list(_TERMS), count))

    def level(self, params: Statement) -> int:
        return len(params.terms)

    def at_level(self, params: Statement, level: int, rng: random.Random) -> Statement:
        more = [term for term in self._terms(rng, len(_TERMS)) if term[0] not in dict(params.terms)]
        return replace(params, terms=(*params.terms, *more)[:level])

    def verifier(self, params: Statement) -> Verifier:
        terms = " ".join(_TERMS[kind].javascript.format(*numbers) for kind, numbers in params.terms)
        own = f"world.filter((o) => o.customer === {json.dumps(params.customer)}).map((o) => o.total)"
        return world(
            "orders",
            f"{SUM} let total = sum({own}); {terms} return total;",
            compare="numeric",
            tolerance=CENT,
        )

    def solve(self, params: Statement, start: Start) -> Solution:
        page = yield from arrive(start)
        rows = yield from read_orders(page)
        totals = [amount(row[4]) for row in rows if row[1] == params.customer]
        if start.slip == Slip.FATAL:
            totals = totals[:-1]
        terms = [_TERMS[kind].python.format(*numbers) for kind, numbers in params.terms]
        thought = f"{params.customer} has {len(totals)} of the {len(rows)} orders: {listed(totals)}."
        code = "\n".join([f"total = sum({totals})", *terms, "print(f'{total:.2f}')"])
        value = yield from compute(code, thought, start.slip)
        yield finish(value, f"The statement comes to ${value}.")


@dataclass(frozen=True)
class Budget:
    """How many of `product` the rest of `dollars` buys after one each of `others`."""

    dollars: int
    product: str
    others: tuple[str, ...]


class BudgetFamily(FiguresFamily[Budget]):
    name = "budget"
    params = Budget
    fields: ClassVar = {
        "dollars": Number(),
        "product": PRODUCT,
        "others": Listing(PRODUCT),
    }

    def sample(self, rng: random.Random) -> Budget:
        names = rng.sample([product.name for product in PRODUCTS], rng.randint(2, 4))
        return Budget(rng.randint(20, 60) * 25, names[0], tuple(names[1:]))

    def level(self, params: Budget) -> int:
        return len(params.others)

    def at_level(self, params: Budget, level: int, rng: random.Random) -> Budget:
        free = [p.name for p in PRODUCTS if p.name not in {params.product, *params.others}]
        return replace(params, others=(*params.others, *rng.sample(free, 3))[:level])

    def shifted(self, params: Budget, rng: random.Random) -> tuple[Budget, str] | None:
        found = of_one_category([params.product, *params.others], rng)
        if found is None:
            return None
        (product, *others), category = found
        return replace(params, product=product, others=tuple(others)), category

    def max_steps(self, params: Budget) -> int:
        return 8 + 4 * len(params.others)

    def verifier(self, params: Budget) -> Verifier:
        body = (
            f"{SUM} const cents = (name) => Math.round(100 * world.find((p) => p.name === name).price); "
            f"const rest = {params.dollars * 100} - sum({json.dumps(params.others)}.map(cents)); "
            f"return Math.floor(rest / cents({json.dumps(params.product)}));"
        )
        return world("catalogue", body, compare="numeric")

    def solve(self, params: Budget, start: Start) -> Solution:
        page = yield from arrive(start)
        prices: list[float] = []
        wanted: Sequence[str] = (*params.others, params.product)
        for name in wanted:
            page = yield from open_product(page, name)
            prices.append(amount(page.fact("Price")))
        paid = [round(price * 100) for price in prices]
        code = f"rest = {params.dollars * 100} - sum({paid[:-1]})\nprint(rest // {paid[-1]})"
        thought = (
            f"Prices of {listed(wanted)}: {listed(prices)}. In cents there is no rounding to worry about."
        )
        value = yield from compute(code, thought, start.slip)
        if start.slip == Slip.FATAL:
            value = str(int(value) + 1)
        yield finish(value, f"The rest pays for {value} of {params.product}.")
