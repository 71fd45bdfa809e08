"""Arguments of calls against their tools' schemas, also where one was made to take for ever."""

from __future__ import annotations

from typing import Any

import pytest

from runtimes.tools.arguments import schema_fault


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (of(n={"type": "integer", "minimum": 1}), {"n": 1}, {"n": 0}),
        (of(n={"type": "integer"}), {}, {"m": 1}),
        (of(day={"pattern": r"^\d{4}-\d\d$"}), {"day": "2024-02"}, {"day": "soon"}),
        (of(word={"pattern": "tea"}), {"word": "steam"}, {"word": "coffee"}),
        (of(all={"uniqueItems": True}), {"all": [1, {}, "1"]}, {"all": [1, {}, {}]}),
    ],
)
def test_arguments_are_held_against_the_schema(
    schema: dict[str, Any], right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    assert schema_fault(schema, right) is None
    assert schema_fault(schema, wrong) is not None


BOMB = "^(a+)+$"
FUSE = "a" * 60 + "b"


@pytest.mark.parametrize(
    ("schema", "arguments", "is_wrong"),
    [
        (of(word={"pattern": BOMB}), {"word": FUSE}, True),
        ({"patternProperties": {BOMB: {}}, "additionalProperties": False}, {FUSE: 1}, False),
        ({"patternProperties": {BOMB: {}}, "unevaluatedProperties": False}, {FUSE: 1}, False),
        ({"propertyNames": {"pattern": BOMB}}, {FUSE: 1}, True),
        (of(word={"pattern": f"(?!x){BOMB}"}), {"word": FUSE}, False),
        (of(all={"uniqueItems": True}), {"all": [*map(str, range(20_000)), *range(20_000), {}]}, False),
    ],
)
def test_none_takes_for_ever(schema: dict[str, Any], arguments: dict[str, Any], is_wrong: bool) -> None:
    assert (schema_fault(schema, arguments) is not None) == is_wrong
