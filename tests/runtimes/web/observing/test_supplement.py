"""The list of what can be clicked: short, stable, and out of the page's reach."""

from __future__ import annotations

import pytest

from runtimes.web.observation.targets import find_target

from .conftest import Look
from .looking import Sites, ref_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = """<script>
const throws = { value() { throw Error('hostile') } };
for (const { prototype } of
    [Array, Map, Set, WeakMap, WeakSet, WeakRef, String, Promise, Function, Element, Node])
  for (const key of Reflect.ownKeys(prototype))
    if (key !== 'constructor' && typeof Object.getOwnPropertyDescriptor(prototype, key).value === 'function')
      Object.defineProperty(prototype, key, throws);
for (const trap of ['get', 'set', 'apply', 'composed']) Object.defineProperty(Object.prototype, trap, throws);
Reflect.apply = JSON.stringify = null;
for (const name of ['Event', 'Proxy', 'WeakRef', 'WeakSet', 'Reflect', 'JSON', 'Map', 'Set'])
  window[name] = null;
</script>
<p>Go <span id=t>here</span></p>
<script>t.addEventListener('click', () => { document.title = 'done' })</script>"""

NATIVE = """() => [EventTarget.prototype.addEventListener, document.addEventListener, addEventListener,
  Object.getOwnPropertyDescriptor(HTMLElement.prototype, 'onclick').set].map(f => [f.name, f.length,
  Object.keys(f).length, f.hasOwnProperty('prototype'), /\\[native code\\]/.test(f)].join())"""


async def test_what_the_tree_shows_with_a_ref_is_not_listed_again(look: Look) -> None:
    looking = await look(
        "<button onclick=''>A</button><a href=b onclick=''>B</a><div onclick=''><button>C</button></div>"
        "<div onclick=''><p>D</p><p>E</p></div><td><span onclick=''>F</span></td>"
        "<h2 style='width:fit-content'><span onclick=''>G</span></h2><ul><li onclick=''>H</ul>"
    )
    seen = await looking.text()
    assert 'Also clickable:\n- span "F" [ref=x' in seen
    assert seen.count("[ref=x") == 1
    assert 'heading "G" [level=2] [ref=e9] [clickable]' in seen


async def test_what_merely_contains_clickable_things_is_not_called_clickable(look: Look) -> None:
    looking = await look(
        "<div id=app><p>text</p><button>A</button><p style='height:900px'>B</p></div>"
        "<script>app.addEventListener('click', () => {}); document.body.onclick = () => {}</script>"
    )
    seen = await looking.text()
    assert "clickable" not in seen


async def test_elements_nobody_could_hit_are_not_listed(look: Look) -> None:
    looking = await look(
        "<p><i onclick='' hidden>A</i><i onclick='' style='visibility:hidden'>B</i><i onclick=''></i>"
        "<i onclick='' style='pointer-events:none'>C</i></p>"
        "<div style='display:none'><i onclick=''>D</i></div>"
    )
    assert "x1" not in await looking.text()


async def test_a_ref_is_an_elements_own_for_as_long_as_it_lives(look: Look) -> None:
    looking = await look("<p>Go <i id=a onclick=''>A</i> <i id=b onclick=''>B</i></p>")
    first = await looking.text()
    await looking.page.evaluate(
        "a.remove(); document.body.append(Object.assign(b, {textContent: 'still B'}))"
    )
    await looking.page.evaluate("document.querySelector('p').innerHTML = '<i onclick=\\'\\'>C</i> x'")
    seen = await looking.text()
    assert ref_in(first, "i#a") == "x1"
    assert ref_in(seen, 'i#b "still B"') == ref_in(first, "i#b") == "x2"
    assert ref_in(seen, 'i "C"') == "x3"


async def test_the_ancestor_shown_tells_equal_elements_apart(look: Look) -> None:
    looking = await look(
        "<table><tr><td>Apple<td>x <u onclick=''>del</u>"
        "<tr><td>Pear<td>x <u onclick=\"document.title='Pear'\">del</u></table>"
    )
    seen = await looking.text()
    cell = seen.split('cell "Pear"')[1].split("[ref=")[2].split("]")[0]
    line = next(line for line in seen.split("\n") if line.endswith(f"[in={cell}]"))
    ref = line.split("[ref=")[1].split("]")[0]
    await (await find_target(looking.page, looking.observer, ref)).locator.click()
    assert await looking.page.title() == "Pear"


async def test_an_element_without_a_name_is_told_by_its_place_and_paint(look: Look) -> None:
    looking = await look(
        "<svg width=90 height=50 style='position:fixed;left:0;top:0'>"
        "<rect onclick='' x=10 y=20 width=9 height=8 fill=blue /></svg>"
    )
    assert "- rect [ref=x1] [fill=rgb(0, 0, 255)] [box=10,20,9,8]" in await looking.text()


async def test_a_checkbox_drawn_by_its_label_shows_whether_it_is_checked(look: Look) -> None:
    looking = await look("<p>x <label>Agree<input type=checkbox style='display:none'></label></p>")
    ref = await looking.ref("generic")
    await (await find_target(looking.page, looking.observer, ref)).locator.click()
    seen = await looking.observe()
    assert f"[ref={ref}] [clickable] [checked]: Agree" in seen.text
    assert seen.changed is True


async def test_a_frame_without_any_aria_ref_is_reached_all_the_same(look: Look) -> None:
    looking = await look(
        "<iframe srcdoc=\"<body style='margin:0;height:0'><svg style='position:fixed' width=50 height=50>"
        "<circle r=20 cx=20 cy=20 onclick='parent.document.title=1' /></svg>\"></iframe>"
    )
    target = await looking.target("circle")
    await target.locator.click()
    assert await looking.page.title() == "1"


async def test_a_hostile_page_hides_nothing(look: Look) -> None:
    looking = await look(HOSTILE)
    target = await looking.target('span#t "here"')
    await target.locator.click()
    assert "Title: done" in await looking.text()


async def test_names_of_a_page_that_shadow_the_documents_own_hide_nothing(look: Look) -> None:
    looking = await look(
        "<title>Shadows</title><img name=title><img name=body><img name=documentElement>"
        "<form name=hasFocus></form><form name=createTreeWalker></form><img name=implementation>"
        "<form id=f onclick=''>"
        "<input name=matches><input name=children><input name=classList><input name=draggable>"
        "<p>Go <span onclick=\"document.querySelector('title').textContent = 'done'\">here</span></p></form>"
    )
    assert "Title: Shadows" in await looking.text()
    await (await looking.target('span "here"')).locator.click()
    assert "Title: done" in await looking.text()


async def test_a_scrolled_form_with_a_field_named_scroll_top_is_seen(look: Look) -> None:
    looking = await look(
        "<form style='height:700px; overflow:auto'><input name=scrollTop aria-label=Top>"
        "<div style='height:2000px'></div></form>"
    )
    assert 'textbox "Top"' in await looking.text()


async def test_a_page_sees_functions_as_they_are_by_nature_and_nothing_new(look: Look, sites: Sites) -> None:
    looking = await look("<p>Go <span onclick=''>here</span></p>")
    await looking.observe()
    bare = await looking.page.context.browser.new_context()  # type: ignore[union-attr]
    page = await bare.new_page()
    await page.goto(sites.url)
    names = "() => [...Reflect.ownKeys(window), ...Reflect.ownKeys(document)].map(String).sort()"
    assert await looking.page.evaluate(NATIVE) == await page.evaluate(NATIVE)
    assert await looking.page.evaluate(names) == await page.evaluate(names)
    assert await looking.page.content() == await page.content()
    await bare.close()


async def test_listeners_work_as_before(look: Look) -> None:
    looking = await look(
        "<b id=t>x</b><script>const seen = []; const f = function (e) { seen.push([this === t, e.type]) };"
        "t.addEventListener('click', f, {once: true}); t.onclick = f;"
        "addEventListener('click', () => seen.push('w'));"
        "t.addEventListener('mousedown', f); t.removeEventListener('mousedown', f);"
        "try { t.addEventListener() } catch (e) { seen.push(e.name) };"
        "new EventTarget().addEventListener('click', f); new XMLHttpRequest().addEventListener('click', f);"
        "</script>"
    )
    await looking.page.locator("b").click()
    assert await looking.page.evaluate("seen") == ["TypeError", [True, "click"], [True, "click"], "w"]
    assert await looking.page.evaluate("t.onclick === f")
