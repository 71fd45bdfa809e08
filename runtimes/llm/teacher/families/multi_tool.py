"""Reasoning families that hand on what they find from tool to tool: pages, files, SQL, Python, a thought.

What is read off a page goes into a file, what is worked out there comes back from one; nothing is carried
over in the head that a tool can carry.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

from runtimes.contracts import Verifier
from runtimes.llm.teacher.browsing import (
    SHOP,
    Saying,
    arrive,
    click,
    failed,
    fill,
    go_to,
    listed,
    open_product,
    read_orders,
    select,
)
from runtimes.llm.teacher.families.base import Call, GaveUp, Run, Slip, Solution, Start, finish
from runtimes.llm.teacher.families.reasoning import ReasoningFamily, compute
from runtimes.llm.teacher.families.reasoning_shop import CATEGORY_WORDS, CENT, STATISTICS
from runtimes.llm.teacher.families.web import CUSTOMERS, PRODUCT, SUM, of_one_category, words, world
from runtimes.llm.teacher.snapshot import amount
from runtimes.llm.teacher.thinking import cheapest_question
from runtimes.llm.teacher.wording import Choice, Listing, Number, Text
from runtimes.web.site.catalogue import CATEGORIES, ORDER_STATUSES, ORDERS, PRODUCTS

P = TypeVar("P")

ORDER_COLUMNS = ("number", "customer", "city", "status", "total", "date")


class MultiToolFamily(ReasoningFamily[P]):
    """A task that takes three tools or more, the shop's pages among them."""

    domain: ClassVar[str] = "data_processing"

    def constraints(self, params: P) -> dict[str, Any]:
        return {"start_url": SHOP}


def write_file(path: str, content: str, thought: str) -> Saying:
    """Write a file of the sandbox."""
    return (yield from _file({"operation": "write", "path": path, "content": content}, thought))


def read_file(path: str, thought: str) -> Saying:
    """The text of a file of the sandbox."""
    return (yield from _file({"operation": "read", "path": path}, thought))


def _file(arguments: dict[str, str], thought: str) -> Saying:
    seen = yield Call("file_operations", arguments, thought)
    if failed(seen):
        raise GaveUp(f"{arguments['operation']} {arguments['path']}: {seen}")
    return seen


def query(select: str, into: str, thought: str, slip: Slip) -> Saying:
    """Keep the result of a query as a file and give its rows; a recoverable slip misspells a word first."""
    sql = f"COPY ({select}) TO '{into}'"
    first = sql.replace("SELECT", "SELCT", 1) if slip == Slip.RECOVERABLE else sql
    seen = yield Call("data_analysis", {"language": "sql", "code": first}, thought)
    if failed(seen):
        again = f"That is no SQL ({seen.splitlines()[0]}); I correct it and ask again."
        seen = yield Call("data_analysis", {"language": "sql", "code": sql}, again)
    if failed(seen):
        raise GaveUp(f"query the table: {seen}")
    return (yield from read_file(into, f"The result lies in {into}; I read it."))


def order_table(rows: Sequence[Sequence[str]]) -> str:
    """The rows of the order table as CSV, totals as plain numbers."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(ORDER_COLUMNS)
    table.writerows([*row[:4], f"{amount(row[4]):.2f}", *row[5:]] for row in rows)
    return text.getvalue()


def _quoted(values: Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


@dataclass(frozen=True)
class Ledger:
    """The highest `measure` of any `group` over all orders but those of the statuses `left_out`."""

    group: str
    measure: str
    left_out: tuple[str, ...]


class LedgerFamily(MultiToolFamily[Ledger]):
    name = "ledger"
    tools = ("browser", "file_operations", "data_analysis", "complete_task")
    params = Ledger
    fields: ClassVar = {
        "group": Choice({"city": ("city", "城市"), "customer": ("customer", "客户")}),
        "measure": Choice({"total": ("money total", "总金额"), "count": ("number of orders", "订单数")}),
        "left_out": Listing(
            words(ORDER_STATUSES),
            last=(" and ", "和"),
            lead=(", without the orders marked ", ",不计状态为 "),
        ),
    }

    def sample(self, rng: random.Random) -> Ledger:
        empty = Ledger(rng.choice(["city", "customer"]), rng.choice(["total", "count"]), ())
        return self.at_level(empty, rng.randint(1, 3), rng)

    def level(self, params: Ledger) -> int:
        return 1 + len(params.left_out)

    def at_level(self, params: Ledger, level: int, rng: random.Random) -> Ledger:
        more = [status for status in ORDER_STATUSES if status not in params.left_out]
        return replace(params, left_out=(*params.left_out, *rng.sample(more, len(more)))[: level - 1])

    def max_steps(self, params: Ledger) -> int:
        return 16

    def verifier(self, params: Ledger) -> Verifier:
        each = {"total": "o.total", "count": "1"}[params.measure]
        body = (
            f"const sums = {{}}; const left = {json.dumps(params.left_out)}; "
            "for (const o of world) if (!left.includes(o.status)) "
            f"sums[o.{params.group}] = (sums[o.{params.group}] ?? 0) + {each}; "
            "return Math.max(...Object.values(sums));"
        )
        return world("orders", body, compare="numeric", tolerance=CENT)

    def solve(self, params: Ledger, start: Start) -> Solution:
        page = yield from arrive(start)
        rows = yield from read_orders(page)
        yield from write_file("orders.csv", order_table(rows), f"All {len(rows)} orders go into a file.")
        value = {"total": "round(sum(total), 2)", "count": "count(*)"}[params.measure]
        where = f" WHERE status NOT IN ({_quoted(params.left_out)})" if params.left_out else ""
        select = (
            f"SELECT {params.group}, {value} AS value FROM 'orders.csv'{where} "
            f"GROUP BY {params.group} ORDER BY value DESC LIMIT 1"
        )
        thought = f"SQL gives the {params.group} with the highest {params.measure}."
        found = yield from query(select, "highest.csv", thought, start.slip)
        best, highest = list(csv.reader(found.splitlines()))[1]
        if start.slip == Slip.FATAL:
            highest = f"{float(highest) + 1:.2f}"
        yield finish(highest, f"It is {best}, with {highest}.")


@dataclass(frozen=True)
class PriceBook:
    """A `statistic` of the prices of all products of `categories`."""

    statistic: str
    categories: tuple[str, ...]


class PriceBookFamily(MultiToolFamily[PriceBook]):
    name = "price_book"
    tools = ("browser", "file_operations", "python_executor", "complete_task")
    params = PriceBook
    fields: ClassVar = {
        "statistic": Choice({key: step.words for key, step in STATISTICS.items()}),
        "categories": Listing(Choice(CATEGORY_WORDS)),
    }

    def sample(self, rng: random.Random) -> PriceBook:
        categories = tuple(rng.sample(list(CATEGORIES), rng.randint(1, 3)))
        return PriceBook(rng.choice(list(STATISTICS)), categories)

    def level(self, params: PriceBook) -> int:
        return len(params.categories)

    def at_level(self, params: PriceBook, level: int, rng: random.Random) -> PriceBook:
        more = [slug for slug in CATEGORIES if slug not in params.categories]
        return replace(params, categories=(*params.categories, *rng.sample(more, len(more)))[:level])

    def max_steps(self, params: PriceBook) -> int:
        return 8 + 2 * len(params.categories)

    def verifier(self, params: PriceBook) -> Verifier:
        body = (
            f"{SUM} let values = world.filter((p) => {json.dumps(params.categories)}.includes(p.category))"
            f".map((p) => p.price); return {STATISTICS[params.statistic].javascript};"
        )
        return world("catalogue", body, compare="numeric", tolerance=CENT)

    def solve(self, params: PriceBook, start: Start) -> Solution:
        page = yield from arrive(start)
        book: dict[str, float] = {}
        for slug in params.categories:
            if page.url.rstrip("/") != SHOP.rstrip("/"):
                page = yield from click(page, "link", "Home", "Back home for the next category.")
            page = yield from click(page, "link", CATEGORIES[slug], f"The prices of {CATEGORIES[slug]}.")
            book |= {row[0]: amount(row[2]) for row in page.rows()}
        text = json.dumps(book, indent=1)
        yield from write_file("prices.json", text, f"{len(book)} prices; I keep them in a file.")
        load = (
            "import json, statistics\n"
            "prices = list(json.load(open('prices.json')).values())\nprint(len(prices))"
        )
        count = yield from compute(load, "Load them, to be used by the next call.", start.slip)
        if count != str(len(book)):
            raise GaveUp(f"load the prices: {count} of {len(book)} came")
        code = f"print(f'{{{STATISTICS[params.statistic].python}:.2f}}')"
        run = Run.read((yield Call("python_executor", {"code": code}, f"Now the {params.statistic}.")))
        if not run.ok:
            run = Run.read((yield Call("python_executor", {"code": f"{load}\n{code}"}, f"{run.complaint}?")))
        if not run.ok:
            raise GaveUp(f"compute the {params.statistic}: {run.complaint}")
        value = run.last_line
        if start.slip == Slip.FATAL:
            value = f"{float(value) + 1:.2f}"
        yield finish(value, f"The {params.statistic} of all prices is {value}.")


_MOST = 5
"""Of one product in a cart; every product on sale has as many in stock."""


@dataclass(frozen=True)
class BestBuy:
    """As many of the cheapest of `products` as `dollars` buy, five at most."""

    dollars: int
    products: tuple[str, ...]


class BestBuyFamily(MultiToolFamily[BestBuy]):
    name = "best_buy"
    domain = "web_automation"
    tools = ("browser", "llm_reasoning", "python_executor", "complete_task")
    params = BestBuy
    fields: ClassVar = {"dollars": Number(), "products": Listing(PRODUCT)}

    def sample(self, rng: random.Random) -> BestBuy:
        empty = BestBuy(rng.randrange(65, 160, 5), ())
        return self.at_level(empty, rng.randint(1, 3), rng)

    def level(self, params: BestBuy) -> int:
        return len(params.products) - 1

    def at_level(self, params: BestBuy, level: int, rng: random.Random) -> BestBuy:
        free = [p.name for p in PRODUCTS if p.stock >= _MOST and p.price < 65]
        more = [name for name in free if name not in params.products]
        return replace(params, products=(*params.products, *rng.sample(more, 4))[: level + 1])

    def shifted(self, params: BestBuy, rng: random.Random) -> tuple[BestBuy, str] | None:
        found = of_one_category(params.products, rng, lambda p: p.stock >= _MOST and p.price < 65)
        return (replace(params, products=tuple(found[0])), found[1]) if found else None

    def max_steps(self, params: BestBuy) -> int:
        return 12 + 4 * len(params.products)

    def verifier(self, params: BestBuy) -> Verifier:
        cheapest = min((p for p in PRODUCTS if p.name in params.products), key=lambda p: p.price)
        quantity = min(_MOST, params.dollars * 100 // round(cheapest.price * 100))
        return world("state", "return world.cart;", expected={cheapest.name: quantity})

    def solve(self, params: BestBuy, start: Start) -> Solution:
        page = yield from arrive(start)
        prices: dict[str, float] = {}
        for name in params.products:
            page = yield from open_product(page, name)
            prices[name] = amount(page.fact("Price"))
        question = cheapest_question(prices)
        told = yield Call("llm_reasoning", {"question": question}, "I think it through apart.")
        best = next((name for name in prices if told.strip().rstrip(".").endswith(name)), "")
        if not best:
            raise GaveUp(f"tell the cheapest by what I thought: {told}")
        code = f"print(min({_MOST}, {params.dollars * 100} // {round(prices[best] * 100)}))"
        quantity = yield from compute(code, f"{best} at {prices[best]:.2f}: how many, in cents.", start.slip)
        if start.slip == Slip.FATAL:
            quantity = str(int(quantity) - 1 or 2)
        if page.heading != best:
            page = yield from open_product(page, best)
        thought = f"{quantity} of them."
        page = yield from fill(page, "Quantity", quantity, thought, role="spinbutton")
        page = yield from click(page, "button", "Add to cart", f"Add {quantity} of {best} to the cart.")
        shown = {row[0]: int(amount(row[2])) for row in page.rows()}
        if shown != {best: int(quantity)}:
            raise GaveUp(f"get the cart right: it holds {shown}")
        yield finish("Done.", f"The cart holds {quantity} of {best}, and nothing else.")


@dataclass(frozen=True)
class Report:
    """What the orders of `customers` come to, told to the shop by `sender`."""

    sender: str
    email: str
    customers: tuple[str, ...]


class ReportFamily(MultiToolFamily[Report]):
    name = "report"
    tools = ("browser", "file_operations", "data_analysis", "python_executor", "complete_task")
    params = Report
    fields: ClassVar = {
        "sender": words(CUSTOMERS),
        "email": Text(characters=r"[\w.]+@[\w.]+"),
        "customers": Listing(words(CUSTOMERS)),
    }

    def sample(self, rng: random.Random) -> Report:
        sender = rng.choice(CUSTOMERS)
        email = f"{sender.lower().replace(' ', '.')}@{rng.choice(['example.com', 'mail.test'])}"
        return Report(sender, email, tuple(rng.sample(CUSTOMERS, rng.randint(1, 3))))

    def level(self, params: Report) -> int:
        return len(params.customers)

    def at_level(self, params: Report, level: int, rng: random.Random) -> Report:
        more = [customer for customer in CUSTOMERS if customer not in params.customers]
        return replace(params, customers=(*params.customers, *rng.sample(more, 3))[:level])

    def max_steps(self, params: Report) -> int:
        return 22

    def verifier(self, params: Report) -> Verifier:
        cents = sum(round(order.total * 100) for order in ORDERS if order.customer in params.customers)
        sent = [[params.sender, params.email, "Order", f"Total: {cents / 100:.2f}", False]]
        body = "return world.contacts.map((c) => [c.name, c.email, c.topic, c.message, c.subscribe]);"
        return world("state", body, expected=sent)

    def solve(self, params: Report, start: Start) -> Solution:
        page = yield from arrive(start)
        rows = yield from read_orders(page)
        yield from write_file("orders.csv", order_table(rows), f"All {len(rows)} orders go into a file.")
        select_sums = (
            "SELECT customer, round(sum(total), 2) AS total FROM 'orders.csv' "
            f"WHERE customer IN ({_quoted(params.customers)}) GROUP BY customer ORDER BY customer"
        )
        thought = f"One line for each of {listed(params.customers)}."
        sums = yield from query(select_sums, "report.csv", thought, Slip.NONE)
        code = (
            "import csv\nrows = list(csv.DictReader(open('report.csv')))\n"
            "print(f\"{sum(float(row['total']) for row in rows):.2f}\")"
        )
        total = yield from compute(code, f"{len(sums.splitlines()) - 1} sums; added up:", start.slip)
        if start.slip == Slip.FATAL:
            total = total[:-1]
        page = yield from go_to(f"{SHOP}contact", "The total goes into the contact form.")
        wanted = {"Name": params.sender, "Email": params.email, "Message": f"Total: {total}"}
        for name, value in wanted.items():
            page = yield from fill(page, name, value, f"{name}: {value}")
        page = yield from select(page, "Topic", "Order", "The topic is Order.")
        page = yield from click(page, "button", "Send message", "Every field is as asked; I send it.")
        if page.heading != "Thank you":
            raise GaveUp(f"send the report: {page.says('alert') or page.heading}")
        yield finish(total, f"The shop has taken the report of {total}.")
