"""What each visitor of the shop did, in memory and bounded. No HTML and no HTTP here."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from typing import Any

import msgspec
from msgspec import Struct

MAX_VISITS = 10_000
MAX_RECORDS = 200
"""Kept of each kind a visit; an agent in a loop cannot fill the memory."""


class Contact(Struct, frozen=True, kw_only=True):
    """One message sent through the contact form."""

    name: str
    email: str
    topic: str
    message: str
    subscribe: bool

    @property
    def reference(self) -> str:
        """The number on the thank-you page: made from the message, so that a rerun gives the same one."""
        content = msgspec.json.encode(msgspec.structs.astuple(self))
        return f"C-{int.from_bytes(hashlib.sha256(content).digest()[:8]) % 1_000_000:06d}"


class CouponEntry(Struct, frozen=True):
    code: str
    accepted: bool


class Visit(Struct):
    """One visitor's doings; `cart` by English product name, `newsletter` by username."""

    cart: dict[str, int] = {}
    contacts: list[Contact] = []
    coupons: list[CouponEntry] = []
    logged_in: str | None = None
    newsletter: dict[str, str] = {}
    failed_logins: list[str] = []

    def as_world(self) -> dict[str, Any]:
        """The visit as `/_world/state.json` shows it."""
        world: dict[str, Any] = msgspec.to_builtins(self)
        for shown, contact in zip(world["contacts"], self.contacts, strict=True):
            shown["reference"] = contact.reference
        return world


def record(entries: list[Any], entry: object) -> None:
    """Append, forgetting the oldest beyond MAX_RECORDS."""
    entries.append(entry)
    del entries[:-MAX_RECORDS]


class Visits:
    """Visits by their unguessable session id; the longest unused are dropped beyond `limit`."""

    def __init__(self, limit: int = MAX_VISITS) -> None:
        self._limit = limit
        self._visits: OrderedDict[str, Visit] = OrderedDict()

    def get(self, sid: str | None) -> tuple[str, Visit]:
        """The visit of `sid`, or a new one under a new id when there is none."""
        if sid is not None and sid in self._visits:
            self._visits.move_to_end(sid)
            return sid, self._visits[sid]
        sid, visit = secrets.token_urlsafe(24), Visit()
        self._visits[sid] = visit
        if len(self._visits) > self._limit:
            self._visits.popitem(last=False)
        return sid, visit
