"""The shop's pages as HTML: plain, labelled and server-rendered, the same for the same visit.

Rendering only: nothing here changes a visit, and no page needs a script or a resource of another host.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import urlencode

from runtimes.web.site.catalogue import (
    CATEGORIES,
    CONTACT_TOPICS,
    NEWSLETTER_CHOICES,
    ORDER_STATUSES,
    ORDERS,
    PRODUCTS,
    Account,
    Product,
)

ORDERS_PER_PAGE = 20


def page(title: str, body: str, *, logged_in: str | None = None) -> str:
    """A whole document: the links every page has, one heading of level 1, `body`."""
    account = '<a href="/account">Account</a>' if logged_in else '<a href="/login">Log in</a>'
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{escape(title)} - The Shop</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css"></head>
<body>
<header><nav aria-label="Main"><a href="/">Home</a><a href="/orders">Orders</a><a href="/contact">Contact</a>
<a href="/coupon">Coupon</a><a href="/cart">Cart</a>{account}</nav></header>
<main><h1>{escape(title)}</h1>
{body}
</main>
<footer>The Shop, a practice site.</footer>
</body></html>"""


def money(amount: float) -> str:
    return f"${amount:,.2f}"


def home() -> str:
    links = "".join(
        f'<li><a href="/category/{slug}">{escape(name)}</a></li>' for slug, name in CATEGORIES.items()
    )
    return f"""{_search_form("")}
<h2>Categories</h2><ul>{links}</ul>
<p>This month: 10 % off with the coupon SPRING10.</p>"""


def search_results(query: str, products: Sequence[Product]) -> str:
    found = f"{len(products)} products found." if len(products) != 1 else "1 product found."
    return f'{_search_form(query)}<p role="status">{found}</p>{product_table(products) if products else ""}'


def product_table(products: Iterable[Product]) -> str:
    return _table(
        ("Product", "Chinese name", "Price"),
        (
            (
                f'<a href="/product/{p.id}">{escape(p.name)}</a>',
                f'<span lang="zh">{p.name_zh}</span>',
                money(p.price),
            )
            for p in products
        ),
    )


def product_detail(product: Product) -> str:
    stock = f"{product.stock} in stock" if product.stock else "Out of stock"
    facts = _facts(
        ("Chinese name", f'<span lang="zh">{product.name_zh}</span>'),
        ("Price", money(product.price)),
        ("Stock", stock),
        ("Rating", f"{product.rating} of 5"),
        ("Category", f'<a href="/category/{product.category}">{CATEGORIES[product.category]}</a>'),
    )
    if not product.stock:
        return facts + "<p>This product cannot be ordered now.</p>"
    return f"""{facts}
<form method="post" action="/cart/add"><input type="hidden" name="product" value="{product.id}">
<p><label for="quantity">Quantity</label>
<input id="quantity" name="quantity" type="number" min="1" max="{product.stock}" value="1" required></p>
<p><button>Add to cart</button></p></form>"""


def cart(quantities: dict[str, int]) -> str:
    """`quantities` by English product name, in the order they were added."""
    lines = [(p, quantities[p.name]) for name in quantities for p in PRODUCTS if p.name == name]
    if not lines:
        return "<p>Your cart is empty.</p>"
    rows = (
        (
            f'<a href="/product/{p.id}">{escape(p.name)}</a>',
            money(p.price),
            str(quantity),
            money(p.price * quantity),
            f'<form method="post" action="/cart/remove"><input type="hidden" name="product" value="{p.id}">'
            f'<button aria-label="Remove {escape(p.name)}">Remove</button></form>',
        )
        for p, quantity in lines
    )
    table = _table(("Product", "Price", "Quantity", "Subtotal", "Remove"), rows)
    return f"{table}<p>Total: {money(sum(p.price * quantity for p, quantity in lines))}</p>"


def orders(status: str, number: int) -> str:
    """Page `number` of the orders of `status` ("" for all); a number beyond the last shows the last."""
    matching = [order for order in ORDERS if not status or order.status == status]
    last = max(1, -(-len(matching) // ORDERS_PER_PAGE))
    number = min(max(number, 1), last)
    shown = matching[(number - 1) * ORDERS_PER_PAGE : number * ORDERS_PER_PAGE]
    rows = ((o.number, escape(o.customer), escape(o.city), o.status, money(o.total), o.date) for o in shown)
    pager = []
    if number > 1:
        pager.append(f'<a href="{_orders_address(status, number - 1)}">Previous page</a>')
    if number < last:
        pager.append(f'<a href="{_orders_address(status, number + 1)}">Next page</a>')
    statuses = _options([("", "All"), *((s, s) for s in ORDER_STATUSES)], status)
    return f"""<form method="get" action="/orders"><p><label for="status">Status</label>
<select id="status" name="status">{statuses}</select>
<button>Filter</button></p></form>
<p>{len(matching)} orders, page {number} of {last}.</p>
{_table(("Order", "Customer", "City", "Status", "Total", "Date"), rows)}
<nav aria-label="Pages">{" ".join(pager)}</nav>"""


def contact() -> str:
    topics = _options([(topic, topic) for topic in CONTACT_TOPICS], CONTACT_TOPICS[0])
    return f"""<form method="post" action="/contact">
<p><label for="name">Name</label><input id="name" name="name" required></p>
<p><label for="email">Email</label><input id="email" name="email" type="email" required></p>
<p><label for="topic">Topic</label><select id="topic" name="topic">{topics}</select></p>
<p><label for="message">Message</label>
<textarea id="message" name="message" rows="5" cols="50" required></textarea></p>
<p><input id="subscribe" name="subscribe" type="checkbox" value="yes">
<label for="subscribe">Subscribe to the newsletter</label></p>
<p><button>Send message</button></p></form>"""


def contact_thanks(reference: str) -> str:
    return f'<p>We have your message.</p><p role="status">Reference number: {escape(reference)}</p>'


def coupon(code: str | None = None, accepted: bool = False) -> str:
    """The coupon form, below what came of `code` if one was entered."""
    verdict = ""
    if code is not None and accepted:
        verdict = f'<p role="status">Coupon {escape(code)} accepted.</p>'
    elif code is not None:
        verdict = f'<p role="alert">Coupon {escape(code)} is not valid.</p>'
    return f"""{verdict}<form method="post" action="/coupon"><p><label for="code">Coupon code</label>
<input id="code" name="code" autocomplete="off" required> <button>Apply</button></p></form>"""


def login(error: str = "") -> str:
    alert = f'<p role="alert">{escape(error)}</p>' if error else ""
    return f"""{alert}<form method="post" action="/login">
<p><label for="username">Username</label><input id="username" name="username" autocomplete="off" required></p>
<p><label for="password">Password</label><input id="password" name="password" type="password" required></p>
<p><button>Log in</button></p></form>"""


def account(user: Account, newsletter: str, saved: bool) -> str:
    """The page of a logged-in user; `saved` tells that the newsletter setting was just stored."""
    status = '<p role="status">Settings saved.</p>' if saved else ""
    options = _options([(choice, choice) for choice in NEWSLETTER_CHOICES], newsletter)
    return f"""{status}{
        _facts(
            ("Username", escape(user.username)),
            ("Balance", money(user.balance)),
            ("Tier", user.tier),
            ("City", user.city),
        )
    }
<form method="post" action="/account"><p><label for="newsletter">Newsletter</label>
<select id="newsletter" name="newsletter">{options}</select> <button>Save</button></p></form>
<form method="post" action="/logout"><p><button>Log out</button></p></form>"""


def message(text: str) -> str:
    return f'<p role="alert">{escape(text)}</p>'


def _search_form(query: str) -> str:
    return f"""<form method="get" action="/search" role="search"><p><label for="q">Search products</label>
<input id="q" name="q" value="{escape(query)}" autocomplete="off"> <button>Search</button></p></form>"""


def _orders_address(status: str, number: int) -> str:
    return escape("/orders?" + urlencode({"status": status, "page": number}))


def _options(choices: Iterable[tuple[str, str]], chosen: str) -> str:
    return "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
        for value, text in choices
    )


def _table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Headers are text; cells are HTML, escaped by whoever made them."""
    head = "".join(f'<th scope="col">{escape(header)}</th>' for header in headers)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _facts(*facts: tuple[str, str]) -> str:
    return "<dl>" + "".join(f"<dt>{term}</dt><dd>{value}</dd>" for term, value in facts) + "</dl>"
