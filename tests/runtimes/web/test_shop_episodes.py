"""An agent at work in the bundled shop, and a grader looking at what it did."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtimes.errors import ToolError
from runtimes.grading.page_reading import by_script, open_page
from runtimes.services import Services
from runtimes.tools.base import Workbench
from runtimes.tools.page_actions import PAGE_ACTIONS
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.page.page import WebPage

from .episodes import SHOP, ref_of, web_task

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATE = f"{SHOP}_world/state.json"
READ_JSON = "() => JSON.parse(document.body.innerText)"


async def state_of_shop(pool: BrowserPool, page: WebPage) -> Any:
    """What a grader sees of the shop with the page's cookies."""
    async with pool.grading_page(await page.storage_state()) as grading:
        await open_page(grading, STATE)
        return await by_script(grading, READ_JSON)


async def add_to_cart(page: WebPage, product: int, quantity: str) -> str:
    seen = await page.goto(f"/product/{product}")
    await page.fill(ref_of(seen, 'spinbutton "Quantity"'), quantity)
    return await page.click(ref_of(seen, 'button "Add to cart"'))


async def test_a_product_is_found_by_search_in_either_language(pool: BrowserPool) -> None:
    async with pool.page(web_task()) as page:
        seen = await page.observe()
        assert seen.startswith(f"URL: {SHOP}\nTitle: Welcome to The Shop")
        seen = await page.fill_and_submit(ref_of(seen, 'textbox "Search products"'), "longjing")
        seen = await page.click(ref_of(seen, 'link "Green Tea Longjing"'))
        assert "$18.50" in seen
        assert "42 in stock" in seen
        seen = await page.goto("/search?q=龙井")
        assert "1 product found." in seen


async def test_a_sent_contact_form_is_seen_by_the_grader(pool: BrowserPool) -> None:
    async with pool.page(web_task(start_url=f"{SHOP}contact")) as page:
        seen = await page.observe()
        await page.fill(ref_of(seen, 'textbox "Name"'), "王小明")
        await page.fill(ref_of(seen, 'textbox "Email"'), "wang@example.com")
        await page.select(ref_of(seen, 'combobox "Topic"'), "Returns")
        await page.fill(ref_of(seen, 'textbox "Message"'), "One line\nand <another>.")
        await page.click(ref_of(seen, 'checkbox "Subscribe'))
        seen = await page.click(ref_of(seen, 'button "Send message"'))
        assert "Thank you" in seen
        state = await state_of_shop(pool, page)
    (contact,) = state["contacts"]
    assert contact.pop("reference") in seen
    assert contact == {
        "name": "王小明",
        "email": "wang@example.com",
        "topic": "Returns",
        "message": "One line\nand <another>.",
        "subscribe": True,
    }


async def test_login_and_account_settings(pool: BrowserPool) -> None:
    async with pool.page(web_task(start_url=f"{SHOP}login")) as page:
        seen = await page.observe()
        await page.fill(ref_of(seen, 'textbox "Username"'), "grace")
        seen = await page.fill_and_submit(ref_of(seen, 'textbox "Password"'), "wrong")
        assert "Wrong username or password." in seen
        await page.fill(ref_of(seen, 'textbox "Username"'), "grace")
        seen = await page.fill_and_submit(ref_of(seen, 'textbox "Password"'), "lotus-bridge-64")
        assert "$205.10" in seen
        assert "Shanghai" in seen
        await page.select(ref_of(seen, 'combobox "Newsletter"'), "weekly")
        seen = await page.click(ref_of(seen, 'button "Save"'))
        assert "Settings saved." in seen
        state = await state_of_shop(pool, page)
    assert state["logged_in"] == "grace"
    assert state["failed_logins"] == ["grace"]
    assert state["newsletter"] == {"grace": "weekly"}


async def test_the_order_table_is_paged_filtered_and_read_as_rows(pool: BrowserPool) -> None:
    async with pool.page(web_task(start_url=f"{SHOP}orders")) as page:
        seen = await page.observe()
        rows = (await page.extract(ref_of(seen, "table"))).split("\n")
        assert rows[0] == "Order\tCustomer\tCity\tStatus\tTotal\tDate"
        assert len(rows) == 21
        seen = await page.click(ref_of(seen, 'link "Next page"'))
        assert "60 orders, page 2 of 3." in seen
        assert "SO-1021" in seen
        await page.select(ref_of(seen, 'combobox "Status"'), "Cancelled")
        seen = await page.click(ref_of(seen, 'button "Filter"'))
        rows = (await page.extract(ref_of(seen, "table"))).split("\n")[1:]
        assert rows
        assert all(row.split("\t")[3] == "Cancelled" for row in rows)
        assert "page 2 of 3" in await page.back()


async def test_a_coupon_is_recorded_whether_valid_or_not(pool: BrowserPool) -> None:
    async with pool.page(web_task(start_url=f"{SHOP}coupon")) as page:
        seen = await page.fill_and_submit(ref_of(await page.observe(), 'textbox "Coupon code"'), "NOPE")
        assert "Coupon NOPE is not valid." in seen
        seen = await page.fill_and_submit(ref_of(seen, 'textbox "Coupon code"'), "spring10")
        assert "Coupon spring10 accepted." in seen
        state = await state_of_shop(pool, page)
    assert state["coupons"] == [{"code": "NOPE", "accepted": False}, {"code": "spring10", "accepted": True}]


async def test_two_episodes_at_once_have_carts_of_their_own(pool: BrowserPool) -> None:
    async def shop_for(product: int, quantity: str) -> dict[str, int]:
        async with pool.page(web_task()) as page:
            await add_to_cart(page, product, quantity)
            state = await state_of_shop(pool, page)
            return dict(state["cart"])

    carts = await asyncio.gather(shop_for(101, "2"), shop_for(138, "1"))
    assert list(carts) == [{"Green Tea Longjing": 2}, {"Three Hundred Tang Poems": 1}]


async def test_the_cart_totals_removes_and_refuses_more_than_the_stock(pool: BrowserPool) -> None:
    async with pool.page(web_task()) as page:
        assert "Total: $37.00" in await add_to_cart(page, 101, "2")
        seen = await add_to_cart(page, 132, "5")
        assert "Total: $697.00" in seen
        seen = await page.click(ref_of(seen, 'button "Remove Two Person Tent"'))
        assert "Total: $37.00" in seen
        await add_to_cart(page, 132, "99")
        assert "Tent" not in await page.goto("/cart")


async def test_page_actions_are_tools_over_the_workbench(pool: BrowserPool) -> None:
    tools = {tool.name: tool for tool in PAGE_ACTIONS}
    services = Services(model=None, sandboxes=None, browsers=pool)  # type: ignore[arg-type]
    async with Workbench(web_task(), services) as bench:
        seen = await tools["goto"].function(bench, url="/coupon")
        seen = await tools["fill_and_submit"].function(bench, ref=ref_of(seen, "textbox"), text="TEA2024")
        assert "Coupon TEA2024 accepted." in seen
        assert "Coupon code" in await tools["extract"].function(bench)
        await tools["back"].function(bench)
        await tools["back"].function(bench)
        with pytest.raises(ToolError, match="no page to go back to"):
            await tools["back"].function(bench)
    assert tools["goto"].action_params({"url": SHOP}) == {"action": "goto", "url": SHOP}
