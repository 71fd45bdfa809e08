"""Reading a page's observation: its address, elements by role and name, tables and facts. Text only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = re.compile(
    r"^(?P<indent> *)- '?(?P<role>[\w/]+)(?: \"(?P<name>(?:[^\"\\]|\\.)*)\")?"
    r"(?P<marks>(?: \[[^\]]*\])*)'?(?::(?: (?P<text>.*))?)?$"
)
_REF = re.compile(r"\[ref=(\w+)\]")


@dataclass(frozen=True)
class Element:
    """One line of the snapshot. `text` is what stands after the colon, such as a field's value."""

    depth: int
    role: str
    name: str
    ref: str
    text: str
    marks: str = ""

    @property
    def words(self) -> str:
        return self.name or self.text


@dataclass(frozen=True)
class Page:
    """A page as an agent sees it."""

    url: str
    elements: tuple[Element, ...]

    @classmethod
    def read(cls, observation: str) -> Page:
        """The page of an observation; one without elements when the observation shows none."""
        url = re.search(r"^URL: (\S*)", observation, re.M)
        found = (_LINE.match(line) for line in observation.split("\n"))
        return cls(url[1] if url else "", tuple(_element(line) for line in found if line))

    @property
    def heading(self) -> str:
        """The heading of level 1."""
        return next((e.words for e in self.elements if e.role == "heading"), "")

    def ref(self, role: str, name: str) -> str | None:
        """The ref of the first element of that role and name."""
        return next((e.ref for e in self.elements if e.role == role and e.name == name and e.ref), None)

    def value(self, role: str, name: str) -> str:
        """What a field holds: its text, or the option selected in it."""
        for at, element in enumerate(self.elements):
            if element.role == role and element.name == name:
                chosen = (e.name for e in self._below(at) if "[selected]" in e.marks)
                return element.text or next(chosen, "")
        return ""

    def says(self, role: str) -> str:
        """The words of the first element of that role, such as `status` or `alert`."""
        return next((e.words for e in self.elements if e.role == role), "")

    def fact(self, term: str) -> str:
        """The definition that follows a term."""
        for at, element in enumerate(self.elements):
            if element.role == "term" and element.words == term:
                return next((e.words for e in self.elements[at + 1 :] if e.role == "definition"), "")
        return ""

    def rows(self) -> list[list[str]]:
        """Every table row's cells as text; the headers' row is left out."""
        rows: list[list[str]] = []
        for at, element in enumerate(self.elements):
            if element.role == "row":
                rows.append([])
            elif element.role == "cell" and rows:
                rows[-1].append(element.words or next((e.words for e in self._below(at) if e.words), ""))
        return [row for row in rows if row]

    def _below(self, at: int) -> Iterator[Element]:
        for element in self.elements[at + 1 :]:
            if element.depth <= self.elements[at].depth:
                return
            yield element


def _element(line: re.Match[str]) -> Element:
    ref = _REF.search(line["marks"])
    text = (line["text"] or "").strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('\\"', '"')
    name = re.sub(r"\\(.)", r"\1", line["name"] or "")
    return Element(len(line["indent"]), line["role"], name, ref[1] if ref else "", text, line["marks"])


def amount(text: str) -> float:
    """The first number in a price, stock or rating; 0 where there is none ("Out of stock")."""
    found = re.search(r"\d+(?:\.\d+)?", text.replace(",", ""))
    return float(found[0]) if found else 0.0
