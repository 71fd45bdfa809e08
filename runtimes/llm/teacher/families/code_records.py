"""Code families over records: totals of CSV text by a column, and ranking by several keys."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from runtimes.llm.teacher.families.code import CodeFamily, Example, function_name
from runtimes.llm.teacher.wording import Choice, Compound, Field, Listing, Number, Phrase, Text

Condition = tuple[str, int]
"""A numeric column and the least value a row must have there."""


@dataclass(frozen=True)
class Grouping:
    """`aggregate` of column `value` for each value of column `group`, over rows that meet `conditions`."""

    name: str
    group: str
    value: str
    aggregate: str
    conditions: tuple[Condition, ...]


_GROUPS, _VALUES = ("city", "team", "region", "product"), ("amount", "units", "minutes", "weight")
_TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "data_processing": (_GROUPS, _VALUES),
    "medicine": (("ward", "doctor", "clinic", "diagnosis"), ("nights", "visits", "doses", "charge")),
    "farming": (("farm", "crop", "field", "season"), ("acres", "tonnes", "litres", "workers")),
    "transport": (("line", "station", "driver", "depot"), ("riders", "delay", "stops", "distance")),
    "energy": (("plant", "grid", "turbine", "supplier"), ("output", "outages", "hours", "tariff")),
    "publishing": (("author", "genre", "imprint", "printer"), ("pages", "copies", "returns", "reviews")),
}
"""Columns to group by and columns of numbers, by subject."""
_AGGREGATES = {
    "total": "sum({v})",
    "largest": "max({v})",
    "smallest": "min({v})",
    "range": "max({v}) - min({v})",
}


_NUMBERS = tuple(column for _, values in _TABLES.values() for column in values)


def _columns(words: tuple[str, ...]) -> Field:
    return Text(characters=f"(?:{'|'.join(words)})")


def _subject_of(params: Grouping) -> str:
    return next(subject for subject, (_, values) in _TABLES.items() if params.value in values)


def _values_of(params: Grouping) -> tuple[str, ...]:
    return _TABLES[_subject_of(params)][1]


class GroupingFamily(CodeFamily[Grouping]):
    name = "grouping"
    domain = "data_processing"
    params = Grouping
    approach = (
        "csv.DictReader gives each row by column name; I collect integers a group and fold them at the end."
    )
    fields: ClassVar = {
        "name": Text(),
        "group": _columns(tuple(column for groups, _ in _TABLES.values() for column in groups)),
        "value": _columns(_NUMBERS),
        "aggregate": Choice(
            {
                "total": ("total", "总和"),
                "largest": ("largest", "最大值"),
                "smallest": ("smallest", "最小值"),
                "range": ("range of", "极差"),
            }
        ),
        "conditions": Listing(
            Compound(("{0} is at least {1}", "{0}不低于{1}"), (_columns(_NUMBERS), Number())),
            lead=(", counting only rows where ", ",只计入"),
            last=(" and ", "且"),
        ),
    }

    def sample(self, rng: random.Random) -> Grouping:
        name = function_name(rng, "report group fold summary digest", "rows table csv sales")
        value = rng.choice(_VALUES)
        empty = Grouping(name, rng.choice(_GROUPS), value, rng.choice(list(_AGGREGATES)), ())
        return self.at_level(empty, rng.randint(1, 3), rng)

    def level(self, params: Grouping) -> int:
        return 1 + len(params.conditions)

    def at_level(self, params: Grouping, level: int, rng: random.Random) -> Grouping:
        taken = {params.value, *(column for column, _ in params.conditions)}
        free = [column for column in _values_of(params) if column not in taken]
        more = [(column, rng.randint(2, 9) * 5) for column in rng.sample(free, len(free))]
        return replace(params, conditions=(*params.conditions, *more)[: level - 1])

    def domain_of(self, params: Grouping) -> str:
        return _subject_of(params)

    def shifted(self, params: Grouping, rng: random.Random) -> tuple[Grouping, str]:
        old = _subject_of(params)
        subject = rng.choice([other for other in _TABLES if other != old])
        columns = dict(zip(sum(_TABLES[old], ()), sum(_TABLES[subject], ()), strict=True))
        conditions = tuple((columns[column], least) for column, least in params.conditions)
        group, value = columns[params.group], columns[params.value]
        return replace(params, group=group, value=value, conditions=conditions), subject

    def function(self, params: Grouping) -> str:
        return params.name

    def program(self, params: Grouping, variant: int) -> str:
        tests = [f"int(row['{column}']) >= {least}" for column, least in params.conditions]
        keep = f"        if not ({' and '.join(tests)}):\n            continue\n" if tests else ""
        collect = (
            f"    groups = defaultdict(list)\n    for row in csv.DictReader(io.StringIO(text)):\n{keep}"
            f"        groups[row['{params.group}']].append(int(row['{params.value}']))\n"
            if variant % 2
            else f"    groups = {{}}\n    for row in csv.DictReader(io.StringIO(text)):\n{keep}"
            f"        groups.setdefault(row['{params.group}'], []).append(int(row['{params.value}']))\n"
        )
        imports = "import csv\nimport io\n" + ("from collections import defaultdict\n" if variant % 2 else "")
        fold = _AGGREGATES[params.aggregate].format(v="values")
        folded = f"    return {{key: {fold} for key, values in groups.items()}}"
        return f"{imports}\n\ndef {params.name}(text):\n{collect}{folded}"

    def broken(self, params: Grouping) -> str:
        return self.program(params, 0).replace("csv.DictReader", "csv.reader")

    def subtle(self, params: Grouping) -> str:
        return self.program(params, 0).replace(f"row['{params.group}'],", f"row['{params.group}'].lower(),")

    def example(self, params: Grouping) -> Example:
        return self._case(
            params, [("north", 60, 70, 80, 90), ("south", 50, 55, 65, 75), ("north", 52, 61, 72, 49)]
        )

    def cases(self, params: Grouping) -> list[Example]:
        rng = random.Random(11)
        keys = ["Oslo", "oslo", "Rome, old", "Bern"]
        rows = [(rng.choice(keys), *(rng.randint(0, 60) for _ in _VALUES)) for _ in range(30)]
        edges = [("Oslo", *(rng.randint(2, 9) * 5 for _ in _VALUES)) for _ in range(12)]
        return [
            self._case(params, given)
            for given in (rows, edges, [("Bern", 99, 99, 99, 99), ("bern", 98, 98, 98, 98)], [])
        ]

    def _case(self, params: Grouping, rows: list[tuple[Any, ...]]) -> Example:
        file = io.StringIO()
        columns = _values_of(params)
        csv.writer(file, lineterminator="\n").writerows([(params.group, *columns), *rows])
        groups: dict[str, list[int]] = {}
        for key, *numbers in rows:
            row = dict(zip(columns, numbers, strict=True))
            if all(row[column] >= least for column, least in params.conditions):
                groups[key] = sorted([*groups.get(key, []), row[params.value]])
        fold = {
            "total": sum,
            "largest": lambda values: values[-1],
            "smallest": lambda values: values[0],
            "range": lambda values: values[-1] - values[0],
        }[params.aggregate]
        return f"{params.name}({file.getvalue()!r})", {key: fold(values) for key, values in groups.items()}


Key = tuple[str, str]
"""A record's field and the direction to sort it in, `up` or `down`."""


@dataclass(frozen=True)
class Ranking:
    """The name of the `place`-th record when they are sorted by `keys`, the first key first."""

    name: str
    noun: str
    keys: tuple[Key, ...]
    place: int


_NOUNS: dict[str, Phrase] = {
    "players": ("players", "选手"),
    "runners": ("runners", "跑者"),
    "students": ("students", "学生"),
    "boats": ("boats", "船"),
}
_FIELDS = ("score", "age", "height", "wins")
_SUBJECTS: dict[str, tuple[dict[str, Phrase], tuple[str, ...]]] = {
    "data_processing": (_NOUNS, _FIELDS),
    "gastronomy": (
        {
            "restaurants": ("restaurants", "餐馆"),
            "bakeries": ("bakeries", "面包店"),
            "cafes": ("cafes", "咖啡馆"),
        },
        ("stars", "seats", "cost", "queue"),
    ),
    "cinema": (
        {"films": ("films", "影片"), "series": ("series", "剧集"), "shorts": ("shorts", "短片")},
        ("length", "budget", "year", "awards"),
    ),
    "geography": (
        {"rivers": ("rivers", "河流"), "peaks": ("peaks", "山峰"), "islands": ("islands", "岛屿")},
        ("latitude", "extent", "visitors", "rainfall"),
    ),
    "hardware": (
        {"phones": ("phones", "手机"), "servers": ("servers", "服务器"), "cameras": ("cameras", "相机")},
        ("memory", "battery", "ports", "lifetime"),
    ),
}
"""Kinds of records and their numeric fields, by subject."""
_DIRECTIONS = {"up": ("ascending", "升序"), "down": ("descending", "降序")}
_ALL_FIELDS = tuple(field for _, fields in _SUBJECTS.values() for field in fields)


def _fields_of(params: Ranking) -> tuple[str, ...]:
    return next(fields for nouns, fields in _SUBJECTS.values() if params.noun in nouns)


class RankingFamily(CodeFamily[Ranking]):
    name = "ranking"
    domain = "data_processing"
    params = Ranking
    approach = "One sort with a tuple of keys does it, a key that falls being negated; places count from 1."
    fields: ClassVar = {
        "name": Text(),
        "noun": Choice({noun: words for nouns, _ in _SUBJECTS.values() for noun, words in nouns.items()}),
        "keys": Listing(
            Compound(
                ("{0} {1}", "{0} {1}"),
                (
                    _columns(_ALL_FIELDS),
                    Choice(_DIRECTIONS),
                ),
            ),
            last=(" then ", ",再 "),
        ),
        "place": Number(),
    }

    def sample(self, rng: random.Random) -> Ranking:
        name = function_name(rng, "pick ranked place standing choose", "name winner entry one")
        keys = tuple((field, rng.choice(["up", "down"])) for field in rng.sample(_FIELDS, rng.randint(1, 3)))
        return Ranking(name, rng.choice(list(_NOUNS)), keys, rng.randint(2, 5))

    def level(self, params: Ranking) -> int:
        return len(params.keys)

    def at_level(self, params: Ranking, level: int, rng: random.Random) -> Ranking:
        free = [field for field in _fields_of(params) if field not in dict(params.keys)]
        more = [(field, rng.choice(["up", "down"])) for field in rng.sample(free, len(free))]
        return replace(params, keys=(*params.keys, *more)[:level])

    def domain_of(self, params: Ranking) -> str:
        return next(subject for subject, (nouns, _) in _SUBJECTS.items() if params.noun in nouns)

    def shifted(self, params: Ranking, rng: random.Random) -> tuple[Ranking, str]:
        own = _fields_of(params)
        subject = rng.choice([name for name, (_, fields) in _SUBJECTS.items() if fields != own])
        nouns, fields = _SUBJECTS[subject]
        other = dict(zip(own, fields, strict=True))
        keys = tuple((other[field], direction) for field, direction in params.keys)
        return replace(params, noun=rng.choice(list(nouns)), keys=keys), subject

    def function(self, params: Ranking) -> str:
        return params.name

    def program(self, params: Ranking, variant: int) -> str:
        if variant % 2:
            sorts = [
                f"    ranked.sort(key=lambda r: r['{field}'], reverse={direction == 'down'})"
                for field, direction in reversed(params.keys)
            ]
            body = ["    ranked = list(records)", *sorts]
        else:
            key = ", ".join(f"{'-' * (direction == 'down')}r['{field}']" for field, direction in params.keys)
            body = [f"    ranked = sorted(records, key=lambda r: ({key},))"]
        found = f"    return ranked[{params.place - 1}]['name'] if len(ranked) >= {params.place} else None"
        return "\n".join([f"def {params.name}(records):", *body, found])

    def broken(self, params: Ranking) -> str:
        return self.program(params, 0).replace("sorted(records, ", "sorted(records, reverse=True, ")

    def subtle(self, params: Ranking) -> str:
        source = self.program(replace(params, keys=params.keys[:1]), 1)
        return source.replace(f"r['{params.keys[0][0]}'],", f"str(r['{params.keys[0][0]}']),")

    def example(self, params: Ranking) -> Example:
        # Two-digit values without ties: every key but the first is idle, and text sorts as numbers do.
        return self._case(
            params,
            [(name, 10 + at * 7 % 23, 61 - at, 30 + at, 44 + at * 3) for at, name in enumerate("abcdef")],
        )

    def cases(self, params: Ranking) -> list[Example]:
        rng = random.Random(5)
        widths = [(name, *(8 + at, 95 + at, 996 + at, 6 + at)) for at, name in enumerate("klmnopq")]
        ties = [(name, *(rng.choice((7, 9, 10, 100)) for _ in _FIELDS)) for name in "abcdefghij"]
        return [self._case(params, rows) for rows in (widths, ties, ties[::-1], ties[: params.place - 1], [])]

    def _case(self, params: Ranking, rows: list[tuple[Any, ...]]) -> Example:
        records = [dict(zip(("name", *_fields_of(params)), row, strict=True)) for row in rows]

        def before(record: dict[str, Any]) -> int:
            return sum(_precedes(params.keys, other, record) for other in records)

        # Counting who stands before keeps the order given where all keys tie, as a stable sort does.
        ranked = {
            before(record) + sum(_ties(params.keys, other, record) for other in records[:at]): record["name"]
            for at, record in enumerate(records)
        }
        return f"{params.name}({records})", ranked.get(params.place - 1)


def _precedes(keys: tuple[Key, ...], one: dict[str, Any], other: dict[str, Any]) -> bool:
    for field, direction in keys:
        if one[field] != other[field]:
            return bool((one[field] < other[field]) == (direction == "up"))
    return False


def _ties(keys: tuple[Key, ...], one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[field] == other[field] for field, _ in keys)
