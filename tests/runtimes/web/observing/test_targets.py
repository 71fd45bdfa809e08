"""What a ref stands for, and what an agent is told of one that stands for nothing."""

from __future__ import annotations

import pytest

from runtimes.web.observation.targets import StaleRef, find_target

from .conftest import Look
from .looking import Looking, Sites

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOP = """<h1>Shop</h1><ul><li>Tea <button>Add tea</button><li>Jam <button>Add jam</button></ul>
<p>x <i onclick=''>more</i></p>"""
ANEW = "const b = document.body; b.innerHTML = b.innerHTML"


async def refusal(looking: Looking, ref: str) -> StaleRef:
    with pytest.raises(StaleRef) as raised:
        await find_target(looking.page, looking.observer, ref)
    assert raised.value.error_type == "browser_error"
    return raised.value


async def test_a_target_has_a_selector_without_refs_and_a_box_of_the_page(look: Look) -> None:
    looking = await look(SHOP)
    target = await looking.target('button "Add jam"')
    assert target.selector == 'internal:role=button[name="Add jam"i]'
    assert target.box == tuple((await looking.page.get_by_text("Add jam").bounding_box() or {}).values())


async def test_a_selector_finds_its_element_alone_also_among_equals_that_came_since(look: Look) -> None:
    looking = await look(SHOP)
    ref = await looking.ref('button "Add jam"')
    jam = looking.page.get_by_text("Add jam")
    await jam.evaluate("jam => { const twin = jam.cloneNode(true); jam.title = 'first'; jam.after(twin) }")
    target = await find_target(looking.page, looking.observer, ref)
    assert await looking.page.locator(target.selector).get_attribute("title") == "first"


@pytest.mark.parametrize("written", ["[ref={}]", " {} ", "ref={}", "[{}]"])
async def test_refs_are_taken_as_agents_write_them(look: Look, written: str) -> None:
    looking = await look(SHOP)
    ref = await looking.ref("button")
    assert (await find_target(looking.page, looking.observer, written.format(ref))).ref == ref


async def test_an_element_replaced_by_an_equal_one_is_stale_and_the_new_one_named(look: Look) -> None:
    looking = await look(SHOP)
    for element in ('button "Add jam"', 'i "more"'):
        old = await looking.ref(element)
        await looking.page.evaluate(ANEW)
        error = await refusal(looking, old)
        new = await looking.ref(element)
        assert error.error_class == "stale_ref"
        assert f"There is no {old} any more; it was {element}; nearest: {new} {element}" in error.message
        assert (await find_target(looking.page, looking.observer, new)).ref == new


async def test_an_element_that_went_is_answered_with_those_like_it(look: Look) -> None:
    looking = await look(SHOP)
    ref = await looking.ref('button "Add jam"')
    await looking.page.get_by_text("Add jam").evaluate("element => element.remove()")
    error = await refusal(looking, ref)
    assert 'button "Add tea"' in error.message
    assert "more" not in error.message.split("nearest")[1]


async def test_refs_of_a_document_that_went_do_not_find_elements_of_the_next(look: Look) -> None:
    looking = await look(SHOP)
    refs = [await looking.ref('button "Add tea"'), await looking.ref("i")]
    await looking.page.reload()
    for ref in [*refs, *refs]:
        error = await refusal(looking, ref)
        assert error.error_class == "stale_ref"
    named = error.message.split("nearest: ")[1].split(" ")[0]
    assert await (await find_target(looking.page, looking.observer, named)).locator.inner_text() == "more"


async def test_refs_of_a_frame_that_went_are_stale(look: Look) -> None:
    looking = await look("<iframe srcdoc=\"<p>x <i onclick=''>more</i> <button>B</button></p>\"></iframe>")
    refs = [await looking.ref("button"), await looking.ref("i")]
    await looking.page.locator("iframe").evaluate("frame => frame.remove()")
    for ref in refs:
        assert (await refusal(looking, ref)).error_class == "stale_ref"


async def test_a_ref_never_given_is_stale(look: Look) -> None:
    looking = await look(SHOP)
    await looking.observe()
    for ref in ("e999", "x999", "f7e1", "f7x1"):
        assert f"There is no {ref}." in (await refusal(looking, ref)).message


async def test_a_name_given_for_a_ref_is_answered_with_the_elements_of_that_name(look: Look) -> None:
    looking = await look(SHOP + "<a href=x>Add jam</a>")
    ref = await looking.ref('button "Add tea"')
    error = await refusal(looking, 'button "Add tea"')
    assert error.error_class == "not_a_ref"
    assert f"nearest: {ref} button" in error.message
    error = await refusal(looking, "add jam")
    assert error.error_class == "ambiguous"
    assert 'button "Add jam"' in error.message
    assert 'link "Add jam"' in error.message
    for nonsense in ("", "e", "e1 >> b", "x" * 5000, "\ud800", "e１"):
        error = await refusal(looking, nonsense)
        assert error.error_class == "not_a_ref"
        assert len(error.message) < 700


async def test_equal_elements_get_selectors_of_their_own(look: Look) -> None:
    looking = await look("<ul>" + "<li><button>Add</button> <i onclick=''>del</i></li>" * 5 + "</ul>")
    seen = await looking.text()
    refs = [
        line.split("[ref=")[1].split("]")[0]
        for line in seen.split("\n")
        if '"Add"' in line or '"del"' in line
    ]
    targets = [await find_target(looking.page, looking.observer, ref) for ref in refs]
    assert len(targets) == 10
    for target in targets:
        again = looking.page.locator(target.selector)
        assert await again.evaluate("(e, other) => e === other", await target.locator.element_handle())


async def test_an_element_inside_of_a_button_in_a_frame_gets_a_path(look: Look, sites: Sites) -> None:
    sites.pages["/inner"] = ("<p>x</p><button>Go <i onclick=''>here</i></button>", "text/html")
    looking = await look(f"<iframe src='{sites.other}inner'></iframe>")
    target = await looking.target('i "here"')
    assert target.selector.endswith("button:nth-of-type(1) > i:nth-of-type(1)")
    assert await looking.page.locator(target.selector).inner_text() == "here"
