"""What the text of an observation says, and how little of a long or unchanged page it takes to say it."""

from __future__ import annotations

import base64

import pytest

from runtimes.web.observation.snapshot import BUDGET

from .conftest import Look
from .looking import Sites, ref_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORM = "<title>Form</title><label>Name <input></label><button>Send</button>"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ROW = "<tr><td>{0}</td><td><a href='/p/{0}'>Product {0}</a></td><td>x <u onclick=''>del</u></td></tr>"


def rows(count: int) -> str:
    return f"<table>{''.join(ROW.format(n) for n in range(count))}</table>"


async def test_notices_come_first_then_address_and_title(look: Look, sites: Sites) -> None:
    looking = await look(FORM)
    seen = await looking.observer.observe(looking.page, tabs=[looking.page], notices=["One.", "Two."])
    assert seen.text.startswith(f"One.\nTwo.\nURL: {sites.url}\nTitle: Form\n\n")
    assert (seen.url, seen.title, seen.changed) == (sites.url, "Form", None)


async def test_tabs_are_listed_where_there_is_more_than_one(look: Look, sites: Sites) -> None:
    looking = await look(FORM)
    assert "Tabs" not in await looking.text()
    other = await looking.page.context.new_page()
    await other.set_content("<title>Other</title>")
    seen = await looking.observer.observe(looking.page, tabs=[looking.page, other], notices=[])
    assert f"Tabs:\n- 0: Form {sites.url} (current)\n- 1: Other about:blank\n" in seen.text


async def test_a_tab_that_hangs_does_not_keep_the_others_from_being_seen(look: Look) -> None:
    looking = await look(FORM)
    other = await looking.page.context.new_page()
    await other.set_content("<script>setTimeout(() => { for (;;) {} })</script>")
    seen = await looking.observer.observe(looking.page, tabs=[looking.page, other], notices=[])
    assert "- 1: (it does not answer) about:blank" in seen.text
    assert 'button "Send"' in seen.text


async def test_the_focused_element_is_named_and_moving_the_focus_is_no_change(look: Look) -> None:
    looking = await look(FORM)
    ref = await looking.ref('textbox "Name"')
    await looking.page.get_by_label("Name").focus()
    seen = await looking.observe()
    assert f"Focus: {ref}\n" in seen.text
    assert "(the page did not change, but the focus moved)" in seen.text
    assert seen.changed is False


async def test_the_focus_in_a_frame_is_that_of_the_page(look: Look) -> None:
    looking = await look(f'<iframe srcdoc="{FORM}"></iframe>')
    await looking.page.frame_locator("iframe").get_by_label("Name").focus()
    assert f"Focus: {await looking.ref('textbox')}\n" in await looking.text()


async def test_the_scroll_position_is_told_of_what_scrolls(look: Look) -> None:
    looking = await look("<p style='height:3600px'>tall</p>")
    assert "Scroll: screen 1.0 of 5.0, 0 px above, " in await looking.text()
    await looking.page.evaluate("scrollTo(0, 1440)")
    seen = await looking.observe()
    assert "Scroll: screen 3.0 of 5.0, 1440 px above, " in seen.text
    assert "(the page did not change, but it was scrolled)" in seen.text
    assert "Scroll:" not in await (await look("<p>short</p>")).text()


async def test_what_changed_is_counted_and_its_first_lines_shown(look: Look) -> None:
    looking = await look("<ul>" + "".join(f"<li>Item {n}" for n in range(30)) + "</ul>")
    assert "Changed" not in await looking.text()
    assert "(the page did not change)" in await looking.text()
    await looking.page.evaluate("document.querySelectorAll('li')[7].textContent = 'New'")
    seen = await looking.observe()
    assert seen.changed is True
    lines = "Changed: +1 -1 lines\n-   - listitem [ref=e10]: Item 7\n+   - listitem [ref=e10]: New\n"
    assert lines in seen.text
    await looking.page.evaluate("document.title = 'Renamed'")
    assert "Changed: title\n" in await looking.text()
    await looking.page.goto("about:blank")
    assert "Changed: another document." in await looking.text()


async def test_a_list_made_anew_with_equal_elements_has_not_changed_but_has_new_refs(look: Look) -> None:
    looking = await look("<ul><li><a href=a>A</a><li><a href=b>B</a><li>C <u onclick=''>x</u></ul>")
    assert "[in=e" in await looking.text()
    before = await looking.ref('link "A"')
    await looking.page.evaluate("const l = document.querySelector('ul'); l.innerHTML = l.innerHTML")
    seen = await looking.observe()
    assert seen.changed is False
    assert "elements were made anew, with new refs" in seen.text
    assert ref_in(seen.text, 'link "A"') != before


async def test_the_same_page_loaded_again_has_not_changed(look: Look) -> None:
    looking = await look(FORM)
    await looking.observe()
    await looking.page.reload()
    assert (await looking.observe()).changed is False


async def test_in_diff_mode_a_small_change_is_shown_alone(look: Look) -> None:
    looking = await look(rows(500), mode="diff")
    assert len(await looking.text()) > 5_000
    await looking.page.evaluate("document.querySelectorAll('a')[2].textContent = 'Fresh'")
    seen = await looking.observe()
    assert len(seen.text) < 1_500
    assert '+         - link "Fresh" [ref=' in seen.text
    assert "Product 3" not in seen.text
    await looking.page.evaluate("scrollTo(0, 5000)")
    assert '"Product 250"' in await looking.text()
    await looking.page.set_content(FORM)
    assert 'button "Send"' in await looking.text()


async def test_a_long_page_is_shown_as_far_as_the_viewport_reaches(look: Look) -> None:
    looking = await look(rows(500))
    seen = await looking.observe()
    assert len(seen.text) < BUDGET + 500
    assert '"Product 0"' in seen.text
    assert '"Product 499"' not in seen.text
    assert '"Product 499"' in seen.snapshot
    assert "more outside the viewport" in seen.text
    await looking.page.evaluate("scrollTo(0, 1e6)")
    seen = await looking.observe()
    assert '"Product 499"' in seen.text
    assert '"Product 0"' not in seen.text


async def test_what_is_in_a_frame_out_of_sight_is_left_out_of_a_long_page(look: Look, sites: Sites) -> None:
    sites.pages["/framed"] = ("<button>Framed</button>", "text/html")
    looking = await look(f"{rows(500)}<iframe src='{sites.other}framed'></iframe>")
    assert "Framed" not in await looking.text()
    await looking.page.evaluate("scrollTo(0, 1e6)")
    assert 'button "Framed"' in await looking.text()


async def test_what_fits_no_budget_is_cut_at_a_line_and_said(look: Look) -> None:
    looking = await look("".join(f"<i onclick=''>{n}</i> word " for n in range(300)), budget=2_000)
    seen = await looking.observe()
    assert len(seen.text) < 2_500
    assert "more characters not shown; scroll" in seen.text
    assert len(seen.snapshot) > 6_000


async def test_the_last_of_five_thousand_rows_can_be_clicked_where_it_is_seen(look: Look) -> None:
    looking = await look(rows(5_000))
    await looking.observe()
    await looking.page.evaluate("scrollTo(0, 1e6)")
    seen = await looking.observe()
    assert len(seen.text) < BUDGET + 500
    last = seen.text.rindex('u "del" [ref=x')
    cell = seen.text[last:].split("[in=")[1].split("]")[0]
    assert f'cell "x del" [ref={cell}]' in seen.text


async def test_ten_megabytes_of_text_are_cut(look: Look) -> None:
    looking = await look("<p id=p><script>p.textContent = 'word '.repeat(2e6)</script>")
    seen = await looking.observe()
    assert len(seen.text) < BUDGET + 500
    assert len(seen.snapshot) > 9_000_000
    assert (await looking.observe()).changed is False


async def test_documents_without_a_body_are_read_as_text(look: Look) -> None:
    drawing = (
        "<svg xmlns='http://www.w3.org/2000/svg'><text y='20'>hello</text><circle r='9' onclick='1'/></svg>"
    )
    seen = (await (await look(drawing, "image/svg+xml")).observe()).text
    assert "\nhello" in seen
    assert "- circle [ref=x1]" in seen
    feed = "<?xml version='1.0'?><feed><entry>hello</entry></feed>"
    assert "hello" in await (await look(feed, "application/xml")).text()


async def test_a_picture_and_an_empty_page_have_nothing_to_read(look: Look) -> None:
    looking = await look(PIXEL, "image/png")
    assert "1×1" in (await looking.observe()).title
    await looking.page.goto("about:blank")
    assert "(there is nothing to read or click)" in await looking.text()


async def test_one_link_without_end_does_not_take_the_whole_budget(look: Look) -> None:
    looking = await look(f"<a href='/?{'x' * 3 * BUDGET}'>endless</a><button>Send</button>")
    seen = await looking.text()
    assert "/url: /?xxx" in seen
    assert 'button "Send"' in seen
    assert len(seen) < BUDGET
