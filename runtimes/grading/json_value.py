"""Grades an answer that is JSON: by a schema, by a value, or by both."""

from __future__ import annotations

import re
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from runtimes.contracts import Trajectory
from runtimes.errors import InvalidTask
from runtimes.grading.base import SPEC_PLACE, VerifierKind
from runtimes.grading.killable import Unchecked, schema_fault
from runtimes.grading.values import same_json, strict_json
from runtimes.services import Services
from runtimes.text import shallow
from runtimes.world import World

_FENCED = re.compile(r"\A\s*```(?:json)?[ \t]*\n(.*)\n[ \t]*```\s*\Z", re.DOTALL)


class JsonSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """`expected` is the value, numbers of it within `tolerance`; `schema` is JSON Schema, draft 2020-12."""

    expected: Any | UnsetType = UNSET
    schema: dict[str, Any] | UnsetType = UNSET
    tolerance: Annotated[float, Meta(ge=0)] = 0.0


class JsonValue(VerifierKind[JsonSpec]):
    """The whole answer is one JSON text, in one fence or none, that is valid and has the expected value."""

    Spec = JsonSpec

    def read(self, spec: dict[str, Any]) -> JsonSpec:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError

        read = super().read(spec)
        if read.expected is UNSET and read.schema is UNSET:
            raise InvalidTask(f"`expected`, `schema` or both are given - at `{SPEC_PLACE}`.")
        if read.schema is not UNSET:
            try:
                Draft202012Validator.check_schema(read.schema)
            except SchemaError as error:
                place = f"{SPEC_PLACE}.schema{error.json_path.removeprefix('$')}"
                raise InvalidTask(f"no JSON Schema: {error.message} - at `{place}`.") from error
            _check_references(read.schema)
        return read

    async def grade(
        self, spec: JsonSpec, trajectory: Trajectory, services: Services, world: World
    ) -> tuple[float, str]:
        try:
            value = answered_value(trajectory.final_result)
        except ValueError as error:
            return 0.0, f"the answer is no JSON: {error}"
        if spec.schema is not UNSET:
            try:
                fault = await schema_fault(spec.schema, value)
            except Unchecked as error:
                return 0.0, f"the answer could not be held against the schema: {error}"
            if fault:
                return 0.0, f"the answer is not of the schema: {fault}"
        if spec.expected is not UNSET and not same_json(value, spec.expected, spec.tolerance):
            return 0.0, "the answer is not the expected value"
        return 1.0, "the answer is as expected"


def answered_value(answer: Any) -> Any:
    """The JSON value of an answer. Raises ValueError for what is not exactly one, said without doubt."""
    if answer is None:
        raise ValueError("there is none")
    if not isinstance(answer, str):
        return shallow(answer)
    fenced = _FENCED.match(answer)
    return strict_json(fenced[1] if fenced else answer)


def _check_references(schema: dict[str, Any]) -> None:
    """Raise InvalidTask for a reference that leads nowhere, which only some answers would come upon."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    whole = DRAFT202012.create_resource(schema)
    parts = [(whole, Registry().resolver_with_root(whole))]
    while parts:
        part, resolver = parts.pop()
        for name in ("$ref", "$dynamicRef"):
            if isinstance(part.contents, dict) and name in part.contents:
                try:
                    resolver.lookup(part.contents[name])
                except Unresolvable as error:
                    told = f"the schema refers to {part.contents[name]!r}, which is not in it"
                    raise InvalidTask(f"{told} - at `{SPEC_PLACE}.schema`.") from error
        parts += [(each, resolver.in_subresource(each)) for each in part.subresources()]
