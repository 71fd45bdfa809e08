"""An observation's text as a policy reads it: a flat list of elements, nothing that is not in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(r"^(\s*)- (.*)$")
_QUOTED_KEY = re.compile(r"^'((?:[^']|'')*)'(:?.*)$")
_HEAD = re.compile(
    r'^(?P<role>[\w/-]+)(?: "(?P<name>(?:[^"\\]|\\.)*)")?(?P<states>(?: \[[^]]*\])*)(?:: ?(?P<text>.*))?$'
)


@dataclass(frozen=True)
class Element:
    """One line of the tree; `ref` is empty where it has none, `states` is such as "[checked] [active]"."""

    role: str
    name: str
    ref: str
    text: str
    states: str
    depth: int

    @property
    def label(self) -> str:
        return self.name or self.text


@dataclass(frozen=True)
class Seen:
    """One observation."""

    text: str

    @property
    def elements(self) -> list[Element]:
        """The page's, which follows the first empty line; what goes before tells of the page."""
        body = self.text.partition("\n\n")[2]
        return [element for line in body.split("\n") if (element := _element(line))]

    def all(self, *roles: str) -> list[Element]:
        """Those of a role that can be acted on, in the order of the page."""
        return [element for element in self.elements if element.role in roles and element.ref]

    def named(self, name: str, *roles: str) -> Element:
        """The first that can be acted on and is called `name`; of these roles, if any are given."""
        for element in self.elements:
            if element.ref and element.label == name and (not roles or element.role in roles):
                return element
        raise LookupError(f"no {' or '.join(roles) or 'element'} {name!r} in\n{self.text}")


def _element(line: str) -> Element | None:
    found = _LINE.match(line)
    if not found:
        return None
    content = found[2]
    if quoted := _QUOTED_KEY.match(content):
        content = quoted[1].replace("''", "'") + quoted[2]
    head = _HEAD.match(content)
    if not head:
        return None
    ref = re.search(r"\[ref=(\w+)\]", head["states"] or "")
    return Element(
        role=head["role"],
        name=_plain(head["name"] or ""),
        ref=ref[1] if ref else "",
        text=_unquoted(head["text"] or ""),
        states=head["states"] or "",
        depth=len(found[1]) // 2,
    )


def _unquoted(text: str) -> str:
    """A YAML scalar of one line."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        return _plain(text[1:-1])
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
