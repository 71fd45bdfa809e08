"""Web families that look things up and shop: facts of products, orders that meet conditions, a cart."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

from runtimes.contracts import Verifier
from runtimes.llm.teacher.browsing import SHOP, Move, arrive, click, fill, listed, open_product, read_orders
from runtimes.llm.teacher.families.base import GaveUp, Slip, Solution, Start, finish
from runtimes.llm.teacher.families.simple import SimpleFamily
from runtimes.llm.teacher.snapshot import Page, amount
from runtimes.llm.teacher.wording import Choice, Compound, Either, Listing, Number, Phrased, Text
from runtimes.web.site.catalogue import ORDER_STATUSES, ORDERS, PRODUCTS, Product

P = TypeVar("P")

PRODUCT = Choice({product.name: (product.name, product.name_zh) for product in PRODUCTS})
CITIES = tuple(sorted({order.city for order in ORDERS}))
CUSTOMERS = tuple(sorted({order.customer for order in ORDERS}))
SUM = "const sum = (values) => values.reduce((a, b) => a + b, 0);"


def of_one_category(
    names: Sequence[str], rng: random.Random, allowed: Callable[[Product], bool] = lambda product: True
) -> tuple[list[str], str] | None:
    """As many products of one category, which is that of none of `names`, and its name."""
    taken = {product.category for product in PRODUCTS if product.name in names}
    found: dict[str, list[str]] = {}
    for product in PRODUCTS:
        if product.category not in taken and allowed(product):
            found.setdefault(product.category, []).append(product.name)
    large = [category for category, members in found.items() if len(members) >= len(names)]
    if not large:
        return None
    category = rng.choice(large)
    return rng.sample(found[category], len(names)), category


def words(choices: tuple[str, ...]) -> Text:
    """A field that holds one of these, the same in every language."""
    return Text(characters=f"(?:{'|'.join(choices)})")


def world(name: str, body: str, **judged: Any) -> Verifier:
    """A verdict from `/_world/<name>.json`; `body` is JavaScript that sees it as `world` and returns."""
    script = f"() => {{ const world = JSON.parse(document.body.innerText); {body} }}"
    return Verifier("page_state", {"url": f"{SHOP}_world/{name}.json", "script": script, **judged})


class ShopFamily(SimpleFamily[P]):
    """A task on the pages of the bundled shop."""

    task_type: ClassVar[str] = "web"
    domain: ClassVar[str] = "web_automation"
    tools: ClassVar[tuple[str, ...]] = ("browser",)
    timeout: ClassVar[int] = 180

    def constraints(self, params: P) -> dict[str, Any]:
        return {"start_url": SHOP}


@dataclass(frozen=True)
class ProductFacts:
    """`how` the products' values of `fact` are put together: their sum, or the highest less the lowest."""

    fact: str
    how: str
    products: tuple[str, ...]


class ProductFactsFamily(ShopFamily[ProductFacts]):
    name = "product_facts"
    params = ProductFacts
    fields: ClassVar = {
        "fact": Choice(
            {"price": ("price", "价格"), "stock": ("stock", "库存"), "rating": ("rating", "评分")}
        ),
        "how": Choice({"sum": ("sum", "之和"), "gap": ("gap from lowest to highest", "最高与最低之差")}),
        "products": Listing(PRODUCT),
    }

    def sample(self, rng: random.Random) -> ProductFacts:
        names = tuple(rng.sample([product.name for product in PRODUCTS], rng.randint(2, 4)))
        return ProductFacts(rng.choice(["price", "stock", "rating"]), rng.choice(["sum", "gap"]), names)

    def level(self, params: ProductFacts) -> int:
        return len(params.products) - 1

    def at_level(self, params: ProductFacts, level: int, rng: random.Random) -> ProductFacts:
        free = [product.name for product in PRODUCTS if product.name not in params.products]
        return replace(params, products=(*params.products, *rng.sample(free, 4))[: level + 1])

    def shifted(self, params: ProductFacts, rng: random.Random) -> tuple[ProductFacts, str] | None:
        found = of_one_category(params.products, rng)
        return (replace(params, products=tuple(found[0])), found[1]) if found else None

    def max_steps(self, params: ProductFacts) -> int:
        return 4 + 4 * len(params.products)

    def verifier(self, params: ProductFacts) -> Verifier:
        fold = {"sum": "sum(values)", "gap": "Math.max(...values) - Math.min(...values)"}[params.how]
        return world(
            "catalogue",
            f"{SUM} const wanted = {json.dumps(params.products)}; "
            f"const values = world.filter((p) => wanted.includes(p.name)).map((p) => p.{params.fact}); "
            f"return {fold};",
            compare="numeric",
        )

    def solve(self, params: ProductFacts, start: Start) -> Solution:
        page = yield from arrive(start)
        values: list[float] = []
        for at, name in enumerate(params.products):
            page = yield from open_product(page, name, misspell=start.slip == Slip.RECOVERABLE and at == 0)
            values.append(amount(page.fact(params.fact.capitalize())))
        answer = sum(values) if params.how == "sum" else max(values) - min(values)
        if start.slip == Slip.FATAL:
            answer += 1
        shown = listed([f"{value:g}" for value in values])
        thought = f"The {params.fact} values are {shown}; the {params.how} is {answer:.2f}."
        yield finish(f"{answer:.2f}".rstrip("0").rstrip("."), thought)


@dataclass(frozen=True)
class Orders:
    """The `measure` over all orders that meet every condition, each a (kind, value) pair."""

    measure: str
    conditions: tuple[tuple[str, Any], ...]


_COLUMNS = {"customer": 1, "city": 2, "status": 3, "above": 4, "below": 4}
_JAVASCRIPT = {
    "customer": "o.customer === {0}",
    "city": "o.city === {0}",
    "status": "o.status === {0}",
    "above": "o.total > {0}",
    "below": "o.total < {0}",
}


def meets(row: list[str], kind: str, value: Any) -> bool:
    """Whether a row of the order table meets one condition."""
    cell = row[_COLUMNS[kind]]
    if kind == "above":
        return amount(cell) > float(value)
    return amount(cell) < float(value) if kind == "below" else cell == str(value)


class OrdersFamily(ShopFamily[Orders]):
    name = "orders"
    takes_any_number = True
    params = Orders
    fields: ClassVar = {
        "measure": Choice(
            {
                "count": ("the number of orders", "订单数量"),
                "total": ("the money total", "总金额"),
                "largest": ("the highest order total", "最高订单金额"),
            }
        ),
        "conditions": Listing(
            Either(
                {
                    "status": Phrased(("marked {0}", "状态为{0}"), words(ORDER_STATUSES)),
                    "city": Phrased(("shipped to {0}", "寄往{0}"), words(CITIES)),
                    "customer": Phrased(("placed by {0}", "由{0}下单"), words(CUSTOMERS)),
                    "above": Phrased(("worth over ${0}", "金额高于{0}美元"), Number()),
                    "below": Phrased(("worth under ${0}", "金额低于{0}美元"), Number()),
                }
            ),
            last=(" and also ", "并且"),
        ),
    }

    def sample(self, rng: random.Random) -> Orders:
        kinds = [rng.choice(["city", "customer", "status"])]
        empty = Orders(
            rng.choice(["count", "total", "largest"]), tuple((kind, self._value(kind, rng)) for kind in kinds)
        )
        return self.at_level(empty, rng.randint(1, 3), rng)

    def level(self, params: Orders) -> int:
        return len(params.conditions)

    def at_level(self, params: Orders, level: int, rng: random.Random) -> Orders:
        kinds = {kind for kind, _ in params.conditions}
        # Hardly a customer has two orders of one city, and two bounds may contradict each other.
        free = [kind for kind in ("status", "city", "above", "below") if kind not in kinds]
        free = [kind for kind in free if not (kind == "city" and "customer" in kinds)]
        rng.shuffle(free)
        if kinds & {"above", "below"}:
            free = [kind for kind in free if kind not in {"above", "below"}]
        else:
            free.remove(rng.choice(["above", "below"]))
        more = [(kind, self._value(kind, rng)) for kind in free]
        return replace(params, conditions=(*params.conditions, *more)[:level])

    def _value(self, kind: str, rng: random.Random) -> Any:
        vocabulary = {"status": ORDER_STATUSES, "city": CITIES, "customer": CUSTOMERS}
        return rng.choice(vocabulary[kind]) if kind in vocabulary else rng.randint(4, 30) * 10

    def max_steps(self, params: Orders) -> int:
        return 12

    def verifier(self, params: Orders) -> Verifier:
        tests = " && ".join(_JAVASCRIPT[kind].format(json.dumps(value)) for kind, value in params.conditions)
        fold = {"count": "values.length", "total": "sum(values)", "largest": "Math.max(0, ...values)"}[
            params.measure
        ]
        body = f"{SUM} const values = world.filter((o) => {tests}).map((o) => o.total); return {fold};"
        return world("orders", body, compare="numeric", tolerance=0.001)

    def solve(self, params: Orders, start: Start) -> Solution:
        page = yield from arrive(start)
        status = dict(params.conditions).get("status", "")
        rows = yield from read_orders(page, status, wrong_first=start.slip == Slip.RECOVERABLE)
        matching = [
            amount(row[4]) for row in rows if all(meets(row, *condition) for condition in params.conditions)
        ]
        if start.slip == Slip.FATAL:
            matching = [value for value in matching if value != max(matching)] or [1.0, 2.0]
        value = {"count": len(matching), "total": sum(matching), "largest": max(matching, default=0)}[
            params.measure
        ]
        thought = (
            f"{len(rows)} rows read, {len(matching)} of them meet every condition: {listed(matching[:12])}."
        )
        yield finish(f"{value:.2f}".removesuffix(".00"), thought)


@dataclass(frozen=True)
class Cart:
    """What the cart is to hold at the end: quantity and product, each product once."""

    items: tuple[tuple[int, str], ...]


class CartFamily(ShopFamily[Cart]):
    name = "cart"
    params = Cart
    fields: ClassVar = {"items": Listing(Compound(("{0} of {1}", "{0}件{1}"), (Number(), PRODUCT)))}

    def sample(self, rng: random.Random) -> Cart:
        return Cart(self._items(rng, rng.randint(1, 3)))

    def _items(self, rng: random.Random, count: int) -> tuple[tuple[int, str], ...]:
        names = [product.name for product in PRODUCTS if product.stock]
        return tuple((rng.randint(1, 5), name) for name in rng.sample(names, count))

    def _wanted(self, params: Cart) -> dict[str, int]:
        return {name: quantity for quantity, name in params.items}

    def level(self, params: Cart) -> int:
        return len(params.items)

    def at_level(self, params: Cart, level: int, rng: random.Random) -> Cart:
        more = [item for item in self._items(rng, 8) if item[1] not in self._wanted(params)]
        return Cart((*params.items, *more)[:level])

    def shifted(self, params: Cart, rng: random.Random) -> tuple[Cart, str] | None:
        found = of_one_category([name for _, name in params.items], rng, lambda product: product.stock >= 5)
        if found is None:
            return None
        quantities = [quantity for quantity, _ in params.items]
        return Cart(tuple(zip(quantities, found[0], strict=True))), found[1]

    def max_steps(self, params: Cart) -> int:
        return 6 + 6 * len(params.items)

    def verifier(self, params: Cart) -> Verifier:
        return world("state", "return world.cart;", expected=self._wanted(params))

    def solve(self, params: Cart, start: Start) -> Solution:
        page = yield from arrive(start)
        for at, (wanted, name) in enumerate(params.items):
            slips = start.slip if at == len(params.items) - 1 else Slip.NONE
            # One less, so that a slip never asks for more than there is.
            quantity = wanted if slips == Slip.NONE else (wanted - 1 or 2)
            page = yield from self._add(page, name, quantity)
            if slips == Slip.RECOVERABLE:
                thought = (
                    f"The cart shows {quantity} of {name}, not {wanted}; I take it out and add it again."
                )
                page = yield from click(page, "button", f"Remove {name}", thought)
                page = yield from self._add(page, name, wanted)
        shown = {row[0]: int(amount(row[2])) for row in page.rows()}
        if start.slip != Slip.FATAL and shown != self._wanted(params):
            raise GaveUp(f"get the cart right: it holds {shown}")
        yield finish(
            "Done.", f"The cart holds {listed([f'{n} of {name}' for name, n in shown.items()])}, as asked."
        )

    def _add(self, page: Page, name: str, quantity: int) -> Move:
        page = yield from open_product(page, name)
        if quantity != 1:
            page = yield from fill(
                page, "Quantity", str(quantity), f"I want {quantity} of them.", role="spinbutton"
            )
        return (yield from click(page, "button", "Add to cart", f"Add {quantity} of {name} to the cart."))
