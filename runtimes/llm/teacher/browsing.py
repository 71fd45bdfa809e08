"""Moves on the shop's pages that several families share, each a part of a solution."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from runtimes.llm.teacher.families.base import Call, GaveUp, Start
from runtimes.llm.teacher.snapshot import Page

SHOP = "http://shop.test/"

Move = Generator[Call, str, Page]
Visit = Generator[Call, str, list[list[str]]]
Saying = Generator[Call, str, str]


def arrive(start: Start) -> Move:
    """The page the episode began on; the start address is opened when none is shown."""
    page = Page.read(start.page)
    if page.ref("link", "Home"):
        return page
    return (yield from go_to(start.url or SHOP, "No page of the shop is open yet, so I open it."))


def back_home(page: Page) -> Move:
    return (yield from click(page, "link", "Home", "Back to the home page for the next search."))


def click(page: Page, role: str, name: str, thought: str) -> Move:
    """Click the element of that role and name."""
    return (yield from _on(page, "click", role, name, thought))


def fill(page: Page, name: str, text: str, thought: str, role: str = "textbox") -> Move:
    """Put text into the field of that label."""
    return (yield from _on(page, "fill", role, name, thought, text=text))


def submit(page: Page, name: str, text: str, thought: str) -> Move:
    """Put text into the field of that label and press Enter."""
    return (yield from _on(page, "fill_and_submit", "textbox", name, thought, text=text))


def select(page: Page, name: str, value: str, thought: str) -> Move:
    """Choose an option of the list of that label."""
    return (yield from _on(page, "select", "combobox", name, thought, value=value))


def open_product(page: Page, name: str, misspell: bool = False) -> Move:
    """Search for a product and open its page; `misspell` searches for a wrong word first and notices."""
    if not page.ref("textbox", "Search products"):
        page = yield from back_home(page)
    words = f"{name}{name[-1]}x" if misspell else name
    page = yield from submit(page, "Search products", words, f"I search for {words!r}.")
    if not page.ref("link", name) and words != name:
        thought = f"{page.says('status') or 'Nothing found'} I mistyped the name; the product is {name!r}."
        page = yield from submit(page, "Search products", name, thought)
    page = yield from click(page, "link", name, f"{name} is among the results; I open its page.")
    if page.heading != name:
        raise GaveUp(f"open the page of {name}: its link led to {page.heading!r}")
    return page


def read_orders(page: Page, status: str = "", wrong_first: bool = False) -> Visit:
    """The rows of all pages of the order table, of one status if given; `wrong_first` strays once."""
    if wrong_first:
        page = yield from click(page, "link", "Contact", "The orders should be behind this link.")
        thought = f"This page is {page.heading!r}, not the orders; the link I want is Orders."
        page = yield from click(page, "link", "Orders", thought)
    else:
        page = yield from click(page, "link", "Orders", "The table of orders is what I need.")
    if status:
        page = yield from select(
            page, "Status", status, f"Only the status {status} matters, so I filter by it."
        )
        page = yield from click(page, "button", "Filter", "Apply the filter.")
    rows = page.rows()
    while page.ref("link", "Next page"):
        page = yield from click(
            page, "link", "Next page", f"{len(rows)} rows read so far, and there is a next page."
        )
        rows += page.rows()
    return rows


def log_in(page: Page, username: str, password: str, mistype: bool = False) -> Move:
    """Log in and come to the account page; `mistype` gets the password wrong once and notices."""
    page = yield from click(page, "link", "Log in", f"I log in as {username}.")
    for word in (password.rstrip("0123456789"), password) if mistype else (password,):
        page = yield from fill(page, "Username", username, "The username.")
        page = yield from submit(
            page, "Password", word, f"{page.says('alert')} The password as given, then Enter.".strip()
        )
        if page.ref("link", "Account"):
            return page
    raise GaveUp(f"log in as {username}: {page.says('alert') or page.heading}")


def log_out(page: Page) -> Move:
    return (yield from click(page, "button", "Log out", "Done with this account; I log out."))


def failed(observation: str) -> bool:
    """Whether an observation tells of a failed call instead of its result."""
    return observation.startswith("error (")


def go_to(url: str, thought: str) -> Move:
    """Open an address, once more where that fails."""
    seen = yield Call("goto", {"url": url}, thought)
    if failed(seen):
        seen = yield Call("goto", {"url": url}, f"That failed ({_first_line(seen)}); I try once more.")
    if failed(seen):
        raise GaveUp(f"open {url}: {_first_line(seen)}")
    return Page.read(seen)


def _on(page: Page, tool: str, role: str, name: str, thought: str, **arguments: str) -> Move:
    seen = yield Call(tool, {"ref": _ref(page, role, name), **arguments}, thought)
    if failed(seen):
        look = yield Call(
            "scroll", {"direction": "top"}, f"That failed ({_first_line(seen)}); I look at the page again."
        )
        ref = _ref(Page.read(look), role, name)
        seen = yield Call(tool, {"ref": ref, **arguments}, f"The {role} {name!r} is {ref} now; once more.")
    if failed(seen):
        raise GaveUp(f"use the {role} {name!r}: {_first_line(seen)}")
    return Page.read(seen)


def _ref(page: Page, role: str, name: str) -> str:
    ref = page.ref(role, name)
    if ref is None:
        raise GaveUp(f"find a {role} {name!r} on the page {page.heading or page.url!r}")
    return ref


def _first_line(observation: str) -> str:
    return observation.split("\n", 1)[0]


def listed(words: Sequence[object]) -> str:
    """Words for a thought: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(map(str, words[:-1])), str(words[-1])])) if words else "none"
