"""Web families that fill in forms: messages to the shop, and accounts to log in to."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from runtimes.contracts import Verifier
from runtimes.llm.teacher.browsing import Move, arrive, click, fill, listed, log_in, log_out, select
from runtimes.llm.teacher.families.base import GaveUp, Slip, Solution, Start, finish
from runtimes.llm.teacher.families.web import CUSTOMERS, SUM, ShopFamily, words, world
from runtimes.llm.teacher.snapshot import Page, amount
from runtimes.llm.teacher.wording import QUOTED, Choice, Compound, Listing, Text
from runtimes.web.site.catalogue import ACCOUNTS, CONTACT_TOPICS, NEWSLETTER_CHOICES, ORDERS, PRODUCTS

Note = tuple[str, str]
"""A message's topic and text."""


@dataclass(frozen=True)
class Contact:
    """Messages one person sends in this order; `subscribe` is whether each ticks the newsletter box."""

    sender: str
    email: str
    subscribe: bool
    notes: tuple[Note, ...]


class ContactFamily(ShopFamily[Contact]):
    name = "contact"
    params = Contact
    fields: ClassVar = {
        "sender": words(CUSTOMERS),
        "email": Text(characters=r"[\w.]+@[\w.]+"),
        "subscribe": Choice(
            {True: ("with the newsletter box ticked", "勾选订阅"), False: ("without newsletter", "不订阅")}
        ),
        "notes": Listing(
            Compound(("{0}: {1}", "{0}:{1}"), (words(CONTACT_TOPICS), QUOTED)),
            last=(" and then ", ",然后 "),
            comma=(", ", ", "),
        ),
    }

    def sample(self, rng: random.Random) -> Contact:
        sender = rng.choice(CUSTOMERS)
        first, last = sender.lower().split()
        email = f"{first}.{last}@{rng.choice(['example.com', 'mail.test', 'post.test'])}"
        return Contact(sender, email, rng.random() < 0.5, self._notes(rng, rng.randint(1, 3)))

    def _notes(self, rng: random.Random, count: int) -> tuple[Note, ...]:
        order, product = rng.choice(ORDERS).number, rng.choice(PRODUCTS).name
        notes = [
            ("Order", f"Please cancel {order}"),
            ("Delivery", f"Where is {order}?"),
            ("Returns", f"May I return the {product}?"),
            ("Product question", f"Is the {product} coming back?"),
            ("Other", f"Can you gift wrap the {product}?"),
        ]
        return tuple(rng.sample(notes, count))

    def level(self, params: Contact) -> int:
        return len(params.notes)

    def at_level(self, params: Contact, level: int, rng: random.Random) -> Contact:
        topics = dict(params.notes)
        more = [note for note in self._notes(rng, 5) if note[0] not in topics]
        return replace(params, notes=(*params.notes, *more)[:level])

    def max_steps(self, params: Contact) -> int:
        return 5 + 7 * len(params.notes)

    def verifier(self, params: Contact) -> Verifier:
        sent = [[params.sender, params.email, topic, text, params.subscribe] for topic, text in params.notes]
        body = "return world.contacts.map((c) => [c.name, c.email, c.topic, c.message, c.subscribe]);"
        return world("state", body, expected=sent)

    def solve(self, params: Contact, start: Start) -> Solution:
        page = yield from arrive(start)
        for at, (topic, text) in enumerate(params.notes):
            page = yield from click(
                page, "link", "Contact", f"Open the form for message {at + 1} of {len(params.notes)}."
            )
            page = yield from self._write(page, params, topic, text, start.slip if at == 0 else Slip.NONE)
            page = yield from click(page, "button", "Send message", "Every field is as asked; I send it.")
            if page.heading != "Thank you":
                raise GaveUp(f"send the message: {page.says('alert') or page.heading}")
        yield finish("Sent.", "The shop has confirmed every message.")

    def _write(self, page: Page, params: Contact, topic: str, text: str, slip: Slip) -> Move:
        wanted = {"Name": params.sender, "Email": params.email, "Message": text}
        typed = {
            Slip.NONE: wanted,
            Slip.RECOVERABLE: {**wanted, "Name": params.sender.split()[0]},
            Slip.FATAL: {**wanted, "Message": text[:-1]},
        }[slip]
        for name, value in typed.items():
            page = yield from fill(page, name, value, f"{name}: {value}")
        page = yield from select(page, "Topic", topic, f"The topic is {topic}.")
        if params.subscribe:
            page = yield from click(
                page, "checkbox", "Subscribe to the newsletter", "The newsletter box is to be ticked."
            )
        shown = page.value("textbox", "Name")
        if shown != params.sender:
            page = yield from fill(
                page, "Name", params.sender, f"The form shows {shown!r}; the whole name is needed."
            )
        return page


Login = tuple[str, str]
"""A username and its password, as a task tells them."""

_LOGIN = Compound(("{0} (password {1})", "{0}(密码 {1})"), (Text(), Text(characters=r"[\w-]+")))


def some_logins(rng: random.Random, count: int, besides: tuple[Login, ...] = ()) -> tuple[Login, ...]:
    """Logins of the shop's users, none of them twice."""
    free = [(a.username, a.password) for a in ACCOUNTS if (a.username, a.password) not in besides]
    return tuple(rng.sample(free, count))


@dataclass(frozen=True)
class Balances:
    """Accounts to read one after the other, and what to make of their balances."""

    how: str
    logins: tuple[Login, ...]


_FOLDS: dict[str, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min}


class BalancesFamily(ShopFamily[Balances]):
    name = "balances"
    params = Balances
    fields: ClassVar = {
        "how": Choice(
            {
                "sum": ("total balance", "余额合计"),
                "max": ("highest balance", "最高余额"),
                "min": ("lowest balance", "最低余额"),
            }
        ),
        "logins": Listing(_LOGIN),
    }

    def sample(self, rng: random.Random) -> Balances:
        return Balances(rng.choice(["sum", "max", "min"]), some_logins(rng, rng.randint(1, 3)))

    def level(self, params: Balances) -> int:
        return len(params.logins)

    def at_level(self, params: Balances, level: int, rng: random.Random) -> Balances:
        return replace(params, logins=(*params.logins, *some_logins(rng, 3, params.logins))[:level])

    def max_steps(self, params: Balances) -> int:
        return 6 + 5 * len(params.logins)

    def verifier(self, params: Balances) -> Verifier:
        users = json.dumps([username for username, _ in params.logins])
        fold = "sum(values)" if params.how == "sum" else f"Math.{params.how}(...values)"
        body = (
            f"{SUM} const users = {users}; const values = world.filter((a) => users.includes(a.username))"
            f".map((a) => a.balance); return {fold};"
        )
        return world("accounts", body, compare="numeric", tolerance=0.001)

    def solve(self, params: Balances, start: Start) -> Solution:
        page = yield from arrive(start)
        balances: list[float] = []
        for at, (username, password) in enumerate(params.logins):
            if at:
                page = yield from log_out(page)
            page = yield from log_in(
                page, username, password, mistype=start.slip == Slip.RECOVERABLE and at == 0
            )
            balances.append(amount(page.fact("Balance")))
        value = _FOLDS[params.how](balances)
        if start.slip == Slip.FATAL:
            value += 10
        yield finish(f"{value:.2f}", f"Balances: {listed(balances)}; so the {params.how} is {value:.2f}.")


@dataclass(frozen=True)
class Newsletters:
    """What the newsletter setting of each account is to be."""

    settings: tuple[tuple[Login, str], ...]


class NewslettersFamily(ShopFamily[Newsletters]):
    name = "newsletters"
    params = Newsletters
    fields: ClassVar = {
        "settings": Listing(
            Compound(
                ("{0} gets {1}", "{0}设为{1}"),
                (
                    _LOGIN,
                    Choice({"weekly": ("the weekly one", "每周"), "monthly": ("the monthly one", "每月")}),
                ),
            ),
            last=("; ", ";"),
            comma=("; ", ";"),
        )
    }

    def sample(self, rng: random.Random) -> Newsletters:
        return Newsletters(self._settings(rng, some_logins(rng, rng.randint(1, 3))))

    def _settings(self, rng: random.Random, logins: tuple[Login, ...]) -> tuple[tuple[Login, str], ...]:
        return tuple((login, rng.choice(NEWSLETTER_CHOICES[1:])) for login in logins)

    def level(self, params: Newsletters) -> int:
        return len(params.settings)

    def at_level(self, params: Newsletters, level: int, rng: random.Random) -> Newsletters:
        besides = tuple(login for login, _ in params.settings)
        return Newsletters((*params.settings, *self._settings(rng, some_logins(rng, 3, besides)))[:level])

    def max_steps(self, params: Newsletters) -> int:
        return 6 + 7 * len(params.settings)

    def verifier(self, params: Newsletters) -> Verifier:
        wanted = {username: setting for (username, _), setting in params.settings}
        return world("state", "return world.newsletter;", expected=wanted)

    def solve(self, params: Newsletters, start: Start) -> Solution:
        page = yield from arrive(start)
        for at, ((username, password), setting) in enumerate(params.settings):
            if at:
                page = yield from log_out(page)
            first = at == 0
            page = yield from log_in(
                page, username, password, mistype=start.slip == Slip.RECOVERABLE and first
            )
            chosen = "none" if start.slip == Slip.FATAL and first else setting
            page = yield from select(page, "Newsletter", chosen, f"{username} is to get {chosen}.")
            page = yield from click(page, "button", "Save", "Save it.")
            if page.value("combobox", "Newsletter") != chosen:
                raise GaveUp(f"set the newsletter of {username} to {chosen}")
        yield finish("Done.", "Every account shows its new setting.")
