"""Every element a person could act on has a ref in the observation, and acting on that ref does it.

Each case is a page that says "done" in its title once the right element was acted on in the right way, what
the element's line looks like, and the action.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest
from playwright.async_api import Locator

from .conftest import Look
from .looking import Sites

pytestmark = pytest.mark.asyncio(loop_scope="module")

DONE = "document.title = 'done'"
ON_CLICK = f"<script>t.addEventListener('click', () => {{ {DONE} }})</script>"
FILE = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"}

Action = Callable[[Locator], Awaitable[object]]


class Case(NamedTuple):
    html: str
    element: str
    act: Action = lambda element: element.click()


CASES = {
    "listening text": Case(f"<p>Go <span id=t>here</span> now</p>{ON_CLICK}", 'span#t "here"'),
    "listening box": Case(f"<div id=t style='width:40px;height:40px'></div>{ON_CLICK}", "div#t"),
    "inside of a button": Case(f"<button>Go <span id=t>here</span></button>{ON_CLICK}", 'span#t "here"'),
    "handler attribute": Case(f'<p>Go <span onclick="{DONE}">here</span> now</p>', 'span "here"'),
    "handler property": Case(
        f"<p>Go <span id=t>here</span></p><script>t.onclick = () => {{ {DONE} }}</script>", "span#t"
    ),
    "mousedown only": Case(
        f"<p>Go <b id=t>here</b></p><script>t.addEventListener('mousedown', () => {{ {DONE} }})</script>",
        "b#t",
    ),
    "hover only": Case(
        f"<p>Go <b id=t>here</b></p><script>t.addEventListener('mouseover', () => {{ {DONE} }})</script>",
        "b#t",
        lambda element: element.hover(),
    ),
    "delegated with a pointer": Case(
        "<p>Go <span id=t style='cursor:pointer'>here</span></p>"
        f"<script>document.addEventListener('click', e => {{ if (e.target === t) {DONE} }})</script>",
        "span#t",
    ),
    "listening block": Case(f"<div id=t><p>One</p><p>Two</p></div>{ON_CLICK}", "generic"),
    "listening cell": Case(f"<table><tr><td id=t style='width:20px;height:20px'></table>{ON_CLICK}", "cell"),
    "listening list item": Case(f"<ul><li id=t>A</ul>{ON_CLICK}", "listitem"),
    "listening link without address": Case(f"<p>x <a id=t>here</a></p>{ON_CLICK}", "a#t"),
    "image without a name": Case(
        f"<img id=t width=30 height=30 src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>{ON_CLICK}", "img#t"
    ),
    "presentation role": Case(
        f"<div role=presentation id=t style='width:9px;height:9px'></div>{ON_CLICK}", "div#t"
    ),
    "hidden from accessibility": Case(
        f"<p>x <span aria-hidden=true id=t>here</span></p>{ON_CLICK}", "span#t"
    ),
    "keyboard widget": Case(
        f"<p>x <span id=t tabindex=0>here</span></p><script>t.onkeydown = () => {{ {DONE} }}</script>",
        "span#t",
        lambda element: element.press("Enter"),
    ),
    "custom checkbox": Case(
        f"<p><i id=t role=checkbox aria-checked=false>Agree</i></p>{ON_CLICK}", 'checkbox "Agree"'
    ),
    "text button in a named row": Case(
        f"<table><tr><td>Apples<td><i>x</i> <u id=t>del</u></table>{ON_CLICK}", 'u#t "del"'
    ),
    "editable text": Case(
        f"<p>x <span id=t contenteditable>old</span></p><script>t.oninput = () => {{ {DONE} }}</script>",
        'span#t "old" [editable]',
        lambda element: element.fill("new"),
    ),
    "editable block": Case(
        f"<div id=t contenteditable><p>old</p><p>text</p></div>"
        f"<script>t.oninput = () => {{ {DONE} }}</script>",
        "generic",
        lambda element: element.fill("new"),
    ),
    "circle": Case(
        f"<svg width=50 height=50><circle id=t r=20 cx=25 cy=25 fill=red /></svg>{ON_CLICK}",
        "circle#t",
    ),
    "group of shapes": Case(
        "<svg width=50 height=50><g id=t><rect width=9 height=9 /><rect x=12 width=9 height=18 /></g></svg>"
        f"{ON_CLICK}",
        "g#t",
        lambda element: element.click(position={"x": 3, "y": 3}),
    ),
    "text of a drawing": Case(
        f"<svg width=90 height=50><text id=t x=9 y=20>here</text></svg>{ON_CLICK}", "generic"
    ),
    "canvas": Case(f"<canvas id=t width=50 height=50></canvas>{ON_CLICK}", "canvas#t"),
    "date": Case(
        f'<label>Day <input type=date onchange="{DONE}"></label>',
        'textbox "Day"',
        lambda element: element.fill("2026-01-31"),
    ),
    "colour": Case(
        f'<label>Paint <input type=color oninput="{DONE}"></label>',
        'textbox "Paint"',
        lambda element: element.fill("#00ff00"),
    ),
    "range": Case(
        f'<label>Loud <input type=range oninput="{DONE}"></label>',
        'slider "Loud"',
        lambda element: element.fill("80"),
    ),
    "several of a list": Case(
        f'<select aria-label=Pets multiple onchange="if (this.selectedOptions.length == 2) {DONE}">'
        "<option>Cat<option>Dog<option>Eel</select>",
        'listbox "Pets"',
        lambda element: element.select_option(["Cat", "Eel"]),
    ),
    "option of an open list": Case(
        f"<select aria-label=Pets size=3 onclick=\"if (value == 'Dog') {DONE}\">"
        "<option>Cat<option>Dog</select>",
        'option "Dog"',
    ),
    "one of a drop-down": Case(
        f'<select aria-label=Pet onchange="{DONE}"><option>Cat<option>Dog</select>',
        'combobox "Pet"',
        lambda element: element.select_option("Dog"),
    ),
    "summary": Case(f'<details ontoggle="{DONE}"><summary>More</summary>text</details>', "generic"),
    "modal dialog": Case(
        "<p>x</p><dialog id=d><p>Sure? <span id=t>yes</span></p></dialog>"
        f"<script>d.showModal()</script>{ON_CLICK}",
        "span#t",
    ),
    "below the fold": Case(
        f"<p style='height:3000px'>x</p><p>Go <span id=t>here</span></p>{ON_CLICK}", "span#t"
    ),
    "without a box of its own": Case(
        f"<div style='display:contents'><p>Go <span id=t>here</span></p></div>{ON_CLICK}", "span#t"
    ),
    "under an overlay that lets clicks through": Case(
        "<p>Go <span id=t>here</span></p>"
        f"<div style='position:fixed;inset:0;pointer-events:none'>veil</div>{ON_CLICK}",
        "span#t",
    ),
    "label of a checkbox not shown": Case(
        f"<p>x <label>Agree<input type=checkbox style='display:none' onchange=\"{DONE}\"></label></p>",
        "generic",
    ),
    "label of a transparent checkbox": Case(
        "<p><input id=c type=checkbox style='opacity:0;position:absolute;left:-999px' "
        f'onchange="{DONE}">x <label for=c>Agree</label></p>',
        'label "Agree"',
    ),
    "file field not shown": Case(
        f"<label>Send <input type=file style='display:none' onchange=\"{DONE}\"></label>",
        "input",
        lambda element: element.set_input_files([FILE]),  # type: ignore[list-item]
    ),
    "in a shadow root": Case(
        "<x-a></x-a><script>const r = document.querySelector('x-a').attachShadow({mode: 'open'});"
        "r.innerHTML = '<p>Go <span>here</span></p>';"
        f"r.querySelector('span').addEventListener('click', () => {{ {DONE} }})</script>",
        'span "here"',
    ),
    "in a shadow root of a shadow root": Case(
        "<x-a></x-a><script>let r = document.querySelector('x-a').attachShadow({mode: 'open'});"
        "r.innerHTML = '<x-b></x-b>'; r = r.firstChild.attachShadow({mode: 'open'});"
        "r.innerHTML = '<p>Go <span>here</span></p>';"
        f"r.querySelector('span').onclick = () => {{ {DONE} }}</script>",
        'span "here"',
    ),
    "in a slot": Case(
        "<x-a><span id=t>here</span></x-a><script>document.querySelector('x-a').attachShadow({mode: 'open'})"
        f".innerHTML = '<p>Go <slot></slot></p>'</script>{ON_CLICK}",
        "span#t",
    ),
    "made later": Case(
        "<p id=p>Go </p><script>setTimeout(() => { p.innerHTML = '<span id=t>here</span>';"
        f"t.addEventListener('click', () => {{ {DONE} }}) }})</script>",
        "span#t",
    ),
    "written over the document": Case(
        "<script>onload = () => { document.open(); document.write('<p>Go <span id=t>here</span></p>');"
        f"document.close(); t.addEventListener('click', () => {{ {DONE} }}) }}</script>",
        "span#t",
    ),
    "dragged": Case(
        f"<ul><li><i id=t draggable=true>one</i></ul><p id=p>there</p>"
        f"<script>p.ondragover = e => e.preventDefault(); p.ondrop = () => {{ {DONE} }}</script>",
        'i#t "one" [draggable]',
        lambda element: element.drag_to(element.page.locator("#p")),
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_an_element_is_reached_by_its_ref_and_found_again_without(look: Look, name: str) -> None:
    case = CASES[name]
    looking = await look(case.html)
    await looking.page.wait_for_function("document.querySelector('#t,x-a,input,label,select,summary,span')")
    target = await looking.target(case.element)
    again = looking.page.locator(target.selector)
    assert await again.count() == 1
    assert await again.evaluate("(e, other) => e === other", await target.locator.element_handle())
    await case.act(target.locator)
    await looking.page.wait_for_function("document.title === 'done'")


IN_FRAME = "<p>Go <span id=t onclick=\"textContent = 'done'\">here</span></p>"


@pytest.mark.parametrize("outer", ["url", "other"])
@pytest.mark.parametrize("inner", ["url", "other"])
async def test_an_element_in_a_frame_of_a_frame_is_reached(
    look: Look, sites: Sites, outer: str, inner: str
) -> None:
    sites.pages["/inner"] = (IN_FRAME, "text/html")
    sites.pages["/outer"] = (f"<p>x</p><iframe src='{getattr(sites, inner)}inner'></iframe>", "text/html")
    looking = await look(
        f"<p>Go <span onclick=''>on</span></p><iframe src='{getattr(sites, outer)}outer'></iframe>"
    )
    target = await looking.target('span#t "here"')
    assert target.ref.startswith("f")
    assert target.box is not None
    assert target.box[1] > 50  # of the page, not of the frame
    await target.locator.click()
    again = looking.page.locator(target.selector)
    assert await looking.ref('span#t "done"') == target.ref
    assert await again.count() <= 1


async def test_an_editor_in_a_frame_is_filled(look: Look) -> None:
    looking = await look("<iframe srcdoc='<body contenteditable><p>old</p><p>text</p></body>'></iframe>")
    await (await looking.target("generic")).locator.page.wait_for_timeout(0)
    target = await looking.target("generic")
    await target.locator.fill("new")
    assert "new" in await looking.text()
