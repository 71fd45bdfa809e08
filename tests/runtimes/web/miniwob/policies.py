"""Scripted policies that solve MiniWoB tasks from what an agent gets: the instruction and observations.

A policy is a generator: it yields a call, a tool's name and its arguments, and is sent what the call gave.
Elements are named by the refs of the latest observation and by nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator

from .reading import Element, Seen

Call = tuple[str, dict[str, object]]
Policy = Generator[Call, Seen, None]

FIELDS = ("textbox", "searchbox", "spinbutton")


def click(element: Element) -> Call:
    return "click", {"ref": element.ref}


def fill(element: Element, text: str) -> Call:
    return "fill", {"ref": element.ref, "text": text}


def extract(element: Element) -> Call:
    return "extract", {"ref": element.ref}


def quoted(instruction: str) -> list[str]:
    return re.findall(r'"([^"]*)"', instruction)


def ordinal(instruction: str, thing: str) -> int:
    """Which `thing` is meant, from 0: "the 3rd word" is 2."""
    found = re.search(rf"(\d+)(?:st|nd|rd|th) {thing}", instruction)
    assert found, instruction
    return int(found[1]) - 1


def click_named(instruction: str, seen: Seen) -> Policy:
    """Click the buttons the instruction names, in order; where it names none, the only one there is."""
    names = quoted(instruction) or re.findall(r"button ([A-Z]+)", instruction)
    for name in names:
        seen = yield click(seen.named({"x": "Close"}.get(name, name), "button"))
    if not names:
        yield click(seen.all("button")[0])


def click_tab(instruction: str, seen: Seen) -> Policy:
    yield click(seen.named(re.findall(r"Tab #\d+", instruction)[0], "link"))


def expand_and_submit(instruction: str, seen: Seen) -> Policy:
    seen = yield click(next(tab for tab in seen.all("tab") if tab.name.startswith("Section")))
    yield click(seen.named("Submit", "button"))


def choose(instruction: str, seen: Seen) -> Policy:
    """Check boxes, or choose in a list, what "Select A, B and click Submit" names, and submit."""
    found = re.search(r"Select (.*?)(?: from the (?:scroll )?list)? and click Submit", instruction)
    assert found, instruction
    names = [] if found[1] == "nothing" else found[1].split(", ")
    if lists := seen.all("combobox", "listbox"):
        seen = yield "select", {"ref": lists[0].ref, "value": names if len(names) > 1 else names[0]}
    else:
        for name in names:
            seen = yield click(seen.named(name, "checkbox", "radio"))
    yield click(seen.named("Submit", "button"))


def click_widget(instruction: str, seen: Seen) -> Policy:
    """A field that takes two lines is a text area, one that does not is a text field."""
    kind = quoted(instruction)[0]
    if kind not in ("text", "textarea"):
        yield click(seen.all(kind)[0])
        return
    for field in seen.all("textbox"):
        yield fill(field, "two\nlines")
        held = yield extract(field)
        if ("\n" in held.text) == (kind == "textarea"):
            yield click(field)
            return


def enter_quoted(instruction: str, seen: Seen) -> Policy:
    """Put the quoted texts into the fields, the last one into all that are left, and submit."""
    texts = quoted(instruction)
    if "upper case" in instruction:
        texts = [text.upper() for text in texts]
    if "lower case" in instruction:
        texts = [text.lower() for text in texts]
    for place in range(len(seen.all(*FIELDS))):
        text = texts[min(place, len(texts) - 1)]
        seen = yield fill(seen.all(*FIELDS)[place], text)
        if any(button.name == "Cancel" for button in seen.all("button")):  # it asks whether to leave
            seen = yield click(seen.named("Cancel", "button"))
            seen = yield fill(seen.all(*FIELDS)[place], text)
    yield click(seen.all("button")[0])


def enter_moment(instruction: str, seen: Seen) -> Policy:
    """A date or a time as the field takes it."""
    if date := re.search(r"(\d+)/(\d+)/(\d+)", instruction):
        text = f"{date[3]}-{date[1]}-{date[2]}"
    else:
        time = re.search(r"(\d+):(\d+) (AM|PM)", instruction)
        assert time, instruction
        text = f"{int(time[1]) % 12 + (12 if time[3] == 'PM' else 0):02}:{time[2]}"
    seen = yield fill(seen.all(*FIELDS)[0], text)
    yield click(seen.named("Submit", "button"))


def focus_field(instruction: str, seen: Seen) -> Policy:
    place = ordinal(instruction, "input textbox") if re.search(r"\d", instruction) else 0
    yield click(seen.all(*FIELDS)[place])


def submit_text(seen: Seen, text: str) -> Policy:
    """Put `text` into the last field and submit."""
    seen = yield fill(seen.all(*FIELDS)[-1], text)
    yield click(seen.named("Submit", "button"))


def find_word(instruction: str, seen: Seen) -> Policy:
    words = seen.all("paragraph")[0].text.split()
    yield from submit_text(seen, words[ordinal(instruction, "word")].strip(".,"))


def table_rows(seen: Seen) -> dict[str, str]:
    cells = [cell.label for cell in seen.all("cell")]
    return dict(zip(cells[::2], cells[1::2], strict=True))


def read_table(instruction: str, seen: Seen) -> Policy:
    found = re.search(r"the value of (.*) into", instruction)
    assert found, instruction
    yield from submit_text(seen, table_rows(seen)[found[1]])


def fill_from_table(instruction: str, seen: Seen) -> Policy:
    rows = table_rows(seen)
    labels = [element.text.removesuffix(":") for element in seen.elements if element.text.endswith(":")]
    for place, label in enumerate(labels):
        seen = yield fill(seen.all(*FIELDS)[place], rows[label])
    yield click(seen.named("Submit", "button"))


def calculate(instruction: str, seen: Seen) -> Policy:
    """`3 - 8 =`, or an equation in x."""
    sums = r"(-?\d+|x) ([+x-]) (-?\d+|x) =(?: (-?\d+))?"
    found = next(match for element in seen.elements if (match := re.fullmatch(sums, element.text.strip())))
    left, operator, right, result = found.groups()
    if left == "x":
        answer = int(result) - int(right) if operator == "+" else int(result) + int(right)
    elif right == "x":
        answer = int(result) - int(left) if operator == "+" else int(left) - int(result)
    else:
        a, b = int(left), int(right)
        answer = {"+": a + b, "-": a - b, "x": a * b}[operator]
    yield from submit_text(seen, str(answer))


def type_letters(instruction: str, seen: Seen) -> Policy:
    letters = [element.text for element in seen.all("generic") if len(element.text) == 1]
    yield from submit_text(seen, "".join(letters))


def copy_field(instruction: str, seen: Seen) -> Policy:
    # Of white space the tree shows less than there is.
    held = yield extract(seen.all("textbox")[ordinal(instruction, "text area")])
    yield from submit_text(seen, held.text)


def check_and_enter(instruction: str, seen: Seen) -> Policy:
    seen = yield click(seen.all("radio")[ordinal(instruction, "radio button")])
    seen = yield fill(seen.all(*FIELDS)[ordinal(instruction, "textbox")], quoted(instruction)[0])
    yield click(seen.named("Submit", "button"))


def search(instruction: str, seen: Seen) -> Policy:
    """Leaf through the results, three a page, to the one that is asked for."""
    seen = yield fill(seen.all(*FIELDS)[0], quoted(instruction)[0])
    seen = yield click(seen.named("Search", "button"))
    page, place = divmod(ordinal(instruction, "search result"), 3)
    if page:
        seen = yield click(seen.named(str(page + 1), "link"))
    results = [link for link in seen.all("link") if not re.fullmatch(r"[<>]|\d+", link.name)]
    yield click(results[place])


POLICIES: dict[str, Callable[[str, Seen], Policy]] = {
    "click-test": click_named,
    "click-test-2": click_named,
    "click-test-transfer": click_named,
    "click-button": click_named,
    "click-button-sequence": click_named,
    "click-dialog": click_named,
    "click-dialog-2": click_named,
    "click-tab": click_tab,
    "click-collapsible-nodelay": expand_and_submit,
    "click-checkboxes": choose,
    "click-checkboxes-large": choose,
    "click-checkboxes-transfer": choose,
    "click-option": choose,
    "choose-list": choose,
    "click-scroll-list": choose,
    "click-widget": click_widget,
    "enter-text": enter_quoted,
    "enter-text-2": enter_quoted,
    "enter-text-dynamic": enter_quoted,
    "enter-password": enter_quoted,
    "login-user": enter_quoted,
    "login-user-popup": enter_quoted,
    "enter-date": enter_moment,
    "enter-time": enter_moment,
    "focus-text": focus_field,
    "focus-text-2": focus_field,
    "find-word": find_word,
    "read-table": read_table,
    "read-table-2": fill_from_table,
    "simple-arithmetic": calculate,
    "simple-algebra": calculate,
    "text-transform": type_letters,
    "copy-paste-2": copy_field,
    "form-sequence-2": check_and_enter,
    "search-engine": search,
    "unicode-test": click_named,
}
"""The policy of each task of `runtimes.web.miniwob.tasks.TASKS`."""
