"""The gate of policy: no site that is forbidden or that the parents were not granted, and no secret.

What a model wrote may come from a page that some agent read, so a task is held to what its parents may do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from adp_assets.mutation.candidate import Candidate
from adp_assets.mutation.gates.base import Finding, Gate, refused
from adp_assets.mutation.reach import OFFLINE, PAGES, is_offline, reach_of
from runtimes.contracts import TaskSpec
from runtimes.errors import ToolError
from runtimes.secrets import Redactor
from runtimes.sensitive import secrets_in
from runtimes.tools.allowance import allowed_domains
from runtimes.web.egress.forbidden import forbidden_domain, in_letters
from runtimes.web.egress.guard import Guard
from sandbox.addresses import literal_address, normal_host

_ADDRESS = re.compile(
    r"\b(?:[a-z][a-z0-9+.-]{0,30}://|file:/)[^\s\"'`<>()\[\]{}，。；、]*(?:\[[0-9a-f:.]+\][^\s\"'<>]*)?"
)
_AFTER_SCHEME = re.compile(r":\S+")
_BREAK = re.compile(r"[\t\r\n]+")
_DOT = "[.。]"
"""What separates labels after NFKC: to IDNA the ideographic full stop is a dot."""
_MARK = re.compile(r"\[redacted:([^\]]+)\]")


class PolicyGate(Gate):
    """`forbidden` are domains that no task may name, subdomains included; `redactor` knows our secrets.

    `allow_private` are the private hosts that this deployment lets every page open, `offline` its tools that
    open no address. To a task with these alone, the addresses in its words are data.
    """

    name = "policy"

    def __init__(
        self,
        forbidden: Sequence[str],
        redactor: Redactor,
        *,
        allow_private: tuple[str, ...] = (),
        offline: frozenset[str] = OFFLINE,
    ) -> None:
        self._forbidden = {domain: _named(domain) for domain in forbidden}
        self._redactor = redactor
        self._allow_private = allow_private
        self._offline = offline

    async def judge(self, task: TaskSpec, candidate: Candidate) -> Finding:
        parents = candidate.proposal.relatives
        reason = (
            self._secret(task, candidate.reference)
            or self._forbidden_site(task)
            or self._beyond_grant(task, parents)
            or self._out_of_reach(task, parents)
        )
        return refused(reason) if reason else Finding()

    def _secret(self, task: TaskSpec, reference: str) -> str:
        """What secret it holds, by its name; the value is said to nobody."""
        said = [*_texts(task), reference]
        if ours := [self._redactor.text(text) for text in said if self._redactor.finds(text)]:
            names = dict.fromkeys(_MARK.findall(" ".join(ours)))
            return f"it holds a secret of this platform: {', '.join(names)}"
        for text in said:
            for what in secrets_in(text):
                return f"it holds what looks like {what}"
        return ""

    def _forbidden_site(self, task: TaskSpec) -> str:
        for text in map(_plain, _texts(task)):
            # Browsers drop tabs and line ends wherever they stand in an address.
            said = [text, *_AFTER_SCHEME.findall(_BREAK.sub("", text))]
            for domain, pattern in self._forbidden.items():
                if any(map(pattern.search, said)):
                    return f"it names the forbidden site {domain}"
        return ""

    def _beyond_grant(self, task: TaskSpec, parents: Sequence[TaskSpec]) -> str:
        """Whether its constraints and tools open more than those of its parents."""
        reaches = [reach_of(parent, self._offline) for parent in parents]
        if None not in reaches:
            theirs = "only those that were named" if any(reaches) else "reach nothing"
            given = {tool for parent in parents for tool in parent.expected_tools}
            free = sorted(set(task.expected_tools) - given - self._offline - PAGES)
            if free:
                return f"it may use {', '.join(free)}, which opens addresses, and its parents {theirs}"
            if reach_of(task, self._offline) is None:
                return f"it may open any host, and its parents {theirs}"
        for entry in allowed_domains(task):
            if not any(reach is None or reach for reach in reaches):
                return f"it may reach {entry}, and its parents reach nothing"
            if reason := self._refusal(f"http://{entry}/", parents, sees_world=False):
                return f"it may reach {entry}, which its parents may not: {reason}"
        return ""

    def _out_of_reach(self, task: TaskSpec, parents: Sequence[TaskSpec]) -> str:
        """The first address in it that its parents might not open."""
        if is_offline(task, self._offline):
            return ""
        for shown, value in ((True, [task.description, task.constraints]), (False, task.verifier)):
            for text in _strings(msgspec.to_builtins(value)):
                for url in _ADDRESS.findall(_plain(text)):
                    if reason := self._refusal(url.rstrip(".,:;!?"), parents, sees_world=not shown):
                        return f"it leads to {url[:100]}, which its parents may not open: {reason}"
        return ""

    def _refusal(self, url: str, parents: Sequence[TaskSpec], *, sees_world: bool) -> str:
        """Why none of the parents might open an address; an address of numbers they must have named."""
        reason = ""
        for parent in parents:
            try:
                bounds = reach_of(parent, self._offline)
            except ToolError as error:
                return str(error)
            guard = Guard(bounds, sees_world=sees_world, allow_private=self._allow_private)
            reason = guard.refusal(url) or _unnamed_number(url, parent, self._allow_private)
            if not reason:
                return ""
        return reason


def _unnamed_number(url: str, parent: TaskSpec, allow_private: tuple[str, ...]) -> str:
    host = normal_host(_bracketed(urlsplit(url).hostname or ""))
    if literal_address(host) is None or host in allow_private:
        return ""
    named = any(host in _plain(text) for text in _texts(parent))
    return "" if named else "it is an address of numbers, which they do not name"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _named(domain: str) -> re.Pattern[str]:
    """Finds a domain, or one below it, in plain text, in ASCII or in letters of its own."""
    name = forbidden_domain(domain)
    forms = sorted({name, _plain(in_letters(name))})
    either = "|".join(_DOT.join(map(re.escape, form.split("."))) for form in forms)
    return re.compile(rf"(?<![a-z0-9_-])(?:{either})(?![a-z0-9_-]|{_DOT}[a-z0-9])")


def _plain(text: str) -> str:
    """A text as a browser would take the addresses in it: one width and case, nothing unseen or encoded."""
    wide = unicodedata.normalize("NFKC", unquote(text))
    return unquote("".join(c for c in wide if unicodedata.category(c) != "Cf")).casefold()


def _texts(task: TaskSpec) -> Iterator[str]:
    """Every text in a task that may speak of sites or hold secrets."""
    yield task.description
    yield from _strings(
        msgspec.to_builtins([task.constraints, task.verifier, task.metadata, task.expected_tools])
    )


def _strings(value: Any) -> Iterator[str]:
    """All texts in a JSON value, names of fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
