"""The shop's HTTP side: its addresses, what each form does to the visit, and what graders may read."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from aiohttp import web

from runtimes.web.browser.sites import AppSite
from runtimes.web.egress.guard import SHOP_HOST
from runtimes.web.site import pages
from runtimes.web.site.catalogue import (
    ACCOUNTS,
    ACCOUNTS_BY_NAME,
    CATEGORIES,
    CONTACT_TOPICS,
    NEWSLETTER_CHOICES,
    ORDER_STATUSES,
    ORDERS,
    PRODUCTS,
    PRODUCTS_BY_ID,
    VALID_COUPONS,
    search_products,
)
from runtimes.web.site.visits import Contact, CouponEntry, Visit, Visits, record

GRADER_HEADER = "X-Shop-Grader"
_MAX_FORM_BYTES = 64 * 1024
_VISIT = web.RequestKey("visit", Visit)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Shop(AppSite):
    """The site, served while the context lasts, with the visits of that time.

    `grader_key` is what a request must carry in GRADER_HEADER to read `/_world/`.
    """

    host = SHOP_HOST

    def __init__(self) -> None:
        super().__init__()
        self.grader_key = secrets.token_urlsafe(24)
        self._visits = Visits()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._with_visit], client_max_size=_MAX_FORM_BYTES)
        app.add_routes(_ROUTES)
        app.router.add_get("/_world/{name}.json", self._world)
        return app

    @web.middleware
    async def _with_visit(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        sid, visit = self._visits.get(request.cookies.get("sid"))
        request[_VISIT] = visit
        try:
            response = await handler(request)
        except web.HTTPNotFound:
            response = _page(request, "Not found", pages.message("There is no such page."), status=404)
        if request.cookies.get("sid") != sid:
            response.set_cookie("sid", sid, httponly=True, samesite="Lax")
        return response

    async def _world(self, request: web.Request) -> web.Response:
        if not hmac.compare_digest(request.headers.get(GRADER_HEADER, "").encode(), self.grader_key.encode()):
            raise web.HTTPForbidden(text="Only graders may read this.")
        world = {
            "catalogue": lambda: PRODUCTS,
            "orders": lambda: ORDERS,
            "accounts": lambda: [
                {"username": a.username, "balance": a.balance, "tier": a.tier, "city": a.city}
                for a in ACCOUNTS
            ],
            "state": request[_VISIT].as_world,
        }.get(request.match_info["name"])
        if world is None:
            raise web.HTTPNotFound
        return web.Response(
            body=msgspec.json.encode(world()), content_type="application/json", charset="utf-8"
        )


def _page(request: web.Request, title: str, body: str, status: int = 200) -> web.Response:
    html = pages.page(title, body, logged_in=request[_VISIT].logged_in)
    return web.Response(
        text=html, content_type="text/html", status=status, headers={"Cache-Control": "no-store"}
    )


def _see(path: str) -> web.Response:
    """The answer to a form: the browser goes on to `path`, so that a reload sends nothing twice."""
    return web.Response(status=303, headers={"Location": path})


def _number(text: object, otherwise: int) -> int:
    """A number as a form sends it, or `otherwise` for what is none."""
    return (
        int(text)
        if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 9
        else otherwise
    )


async def _form(request: web.Request) -> dict[str, str]:
    return {key: value for key, value in (await request.post()).items() if isinstance(value, str)}


async def _style(request: web.Request) -> web.FileResponse:
    return web.FileResponse(Path(__file__).with_name("style.css"))


async def _home(request: web.Request) -> web.Response:
    return _page(request, "Welcome to The Shop", pages.home())


async def _search(request: web.Request) -> web.Response:
    query = request.query.get("q", "").strip()
    return _page(request, f"Results for {query}", pages.search_results(query, search_products(query)))


async def _category(request: web.Request) -> web.Response:
    slug = request.match_info["slug"]
    if slug not in CATEGORIES:
        raise web.HTTPNotFound
    return _page(request, CATEGORIES[slug], pages.product_table(p for p in PRODUCTS if p.category == slug))


async def _product(request: web.Request) -> web.Response:
    product = PRODUCTS_BY_ID.get(_number(request.match_info["id"], 0))
    if product is None:
        raise web.HTTPNotFound
    return _page(request, product.name, pages.product_detail(product))


async def _cart(request: web.Request) -> web.Response:
    return _page(request, "Your cart", pages.cart(request[_VISIT].cart))


async def _cart_add(request: web.Request) -> web.Response:
    form = await _form(request)
    product = PRODUCTS_BY_ID.get(_number(form.get("product"), 0))
    if product is None:
        raise web.HTTPNotFound
    cart = request[_VISIT].cart
    quantity = cart.get(product.name, 0) + _number(form.get("quantity"), 0)
    if not 0 < quantity <= product.stock or quantity == cart.get(product.name):
        refusal = pages.message(f"The quantity must be between 1 and {product.stock}.")
        return _page(request, product.name, refusal + pages.product_detail(product), status=400)
    cart[product.name] = quantity
    return _see("/cart")


async def _cart_remove(request: web.Request) -> web.Response:
    product = PRODUCTS_BY_ID.get(_number((await _form(request)).get("product"), 0))
    if product is not None:
        request[_VISIT].cart.pop(product.name, None)
    return _see("/cart")


async def _orders(request: web.Request) -> web.Response:
    status = request.query.get("status", "")
    return _page(
        request,
        "Orders",
        pages.orders(status if status in ORDER_STATUSES else "", _number(request.query.get("page"), 1)),
    )


async def _contact(request: web.Request) -> web.Response:
    return _page(request, "Contact us", pages.contact())


async def _contact_send(request: web.Request) -> web.Response:
    form = await _form(request)
    contact = Contact(
        name=form.get("name", "").strip(),
        email=form.get("email", "").strip(),
        topic=form.get("topic", ""),
        message=form.get("message", "").strip().replace("\r\n", "\n"),
        subscribe=form.get("subscribe") == "yes",
    )
    if not (contact.name and contact.email and contact.message) or contact.topic not in CONTACT_TOPICS:
        return _page(
            request, "Contact us", pages.message("Please fill in every field.") + pages.contact(), 400
        )
    record(request[_VISIT].contacts, contact)
    return _see("/contact/thanks")


async def _contact_thanks(request: web.Request) -> web.Response:
    contacts = request[_VISIT].contacts
    if not contacts:
        return _see("/contact")
    return _page(request, "Thank you", pages.contact_thanks(contacts[-1].reference))


async def _coupon(request: web.Request) -> web.Response:
    return _page(request, "Coupon", pages.coupon())


async def _coupon_enter(request: web.Request) -> web.Response:
    code = (await _form(request)).get("code", "").strip()
    accepted = code.upper() in VALID_COUPONS
    record(request[_VISIT].coupons, CouponEntry(code, accepted))
    return _page(request, "Coupon", pages.coupon(code, accepted))


async def _login(request: web.Request) -> web.Response:
    return _page(request, "Log in", pages.login())


async def _login_enter(request: web.Request) -> web.Response:
    form = await _form(request)
    username = form.get("username", "").strip()
    account = ACCOUNTS_BY_NAME.get(username)
    if account is None or form.get("password") != account.password:
        record(request[_VISIT].failed_logins, username)
        return _page(request, "Log in", pages.login("Wrong username or password."), status=401)
    request[_VISIT].logged_in = username
    return _see("/account")


async def _logout(request: web.Request) -> web.Response:
    request[_VISIT].logged_in = None
    return _see("/")


async def _account(request: web.Request) -> web.Response:
    visit = request[_VISIT]
    if visit.logged_in is None:
        return _see("/login")
    form = await _form(request)
    choice = form.get("newsletter")
    if choice in NEWSLETTER_CHOICES:
        visit.newsletter[visit.logged_in] = choice
    chosen = visit.newsletter.get(visit.logged_in, "none")
    user = ACCOUNTS_BY_NAME[visit.logged_in]
    return _page(request, "Your account", pages.account(user, chosen, saved=choice is not None))


_ROUTES = [
    web.get("/style.css", _style),
    web.get("/", _home),
    web.get("/search", _search),
    web.get("/category/{slug}", _category),
    web.get("/product/{id}", _product),
    web.get("/cart", _cart),
    web.post("/cart/add", _cart_add),
    web.post("/cart/remove", _cart_remove),
    web.get("/orders", _orders),
    web.get("/contact", _contact),
    web.post("/contact", _contact_send),
    web.get("/contact/thanks", _contact_thanks),
    web.get("/coupon", _coupon),
    web.post("/coupon", _coupon_enter),
    web.get("/login", _login),
    web.post("/login", _login_enter),
    web.get("/account", _account),
    web.post("/account", _account),
    web.post("/logout", _logout),
]
