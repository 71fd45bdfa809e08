"""The report in a real browser, from its folder and over HTTP."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.adp_assets.report.conftest import HOSTILE, MANY
from tests.adp_assets.report.scenes import ROUND

SEED, HOSTILE_ONE = f"#/trajectory/{ROUND}/seed/0", f"#/trajectory/{ROUND}/hostile/0"
VIEWS = ["#/", "#/trajectories", SEED, f"#/trajectory/{ROUND}/shop/0", HOSTILE_ONE, "#/lineage"]


def opened(page: Page, address: str) -> None:
    page.goto(address)
    if "#/trajectory/" in address:
        page.wait_for_selector("[data-ready]")


def titles(page: Page) -> list[str]:
    return page.locator(".rows .entry .title").all_inner_texts()


def test_the_first_view_has_the_summary_and_the_first_rows_and_loads_nothing_from_elsewhere(
    page: Page, address: str
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, address)
    expect(page.get_by_role("heading", level=1)).to_have_text(ROUND)
    expect(page.locator(".hero")).to_contain_text(f"{MANY + 6:,}")
    expect(page.locator(".first .entry")).to_have_count(6)
    base = address.rsplit("/", 1)[0]
    assert all(url.startswith((base, "data:image/svg+xml")) for url in asked)
    assert not any("trajectories/" in url for url in asked)


def test_a_trajectory_opens_step_by_step_and_by_its_address(page: Page, address: str) -> None:
    opened(page, f"{address}{SEED}/7")
    expect(page.locator(".rail .current")).to_have_text(re.compile("^7"))
    expect(page.locator(".step").nth(6)).to_be_in_viewport()
    step = page.locator(".step").nth(6)
    expect(step).to_contain_text("I try number 7.")
    expect(step).to_contain_text("line 0")
    expect(page.locator(".verdict")).to_contain_text("In the dataset, split train")
    step.get_by_role("button", name="Show all 40 lines").click()
    expect(step.get_by_text("line 39")).to_be_in_viewport(ratio=0)


def test_words_are_searched_in_whole_descriptions_errors_and_models(page: Page, from_disk: str) -> None:
    opened(page, f"{from_disk}#/trajectories")
    for words, found in {
        "xylophone": "Add the numbers of",
        "disk was FULL": "</pre>",
        "other-model tea": "Order two",
    }.items():
        page.get_by_role("searchbox").fill(words)
        expect(page.get_by_role("status")).to_contain_text("1 trajectory")
        assert [title[: len(found)] for title in titles(page)] == [found]
    page.get_by_role("searchbox").fill("no such words")
    expect(page.get_by_role("status")).to_contain_text("0 trajectories")


def test_filters_are_in_the_address_and_stand_again_after_going_back(page: Page, from_disk: str) -> None:
    opened(page, f"{from_disk}#/trajectories")
    page.get_by_role("checkbox", name="unsolved").check()
    expect(page.get_by_role("status")).to_contain_text("1 trajectory")
    assert page.url.endswith("?outcome=unsolved")
    page.locator(".rows .entry").click()
    expect(page.locator(".verdict")).to_contain_text("19 is not 20")
    page.go_back()
    expect(page.get_by_role("checkbox", name="unsolved")).to_be_checked()
    expect(page.locator(".rows .entry")).to_be_focused()
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_role("status")).to_contain_text(f"{MANY + 6:,} trajectories")


def test_everything_is_reached_with_the_keyboard(page: Page, from_disk: str) -> None:
    opened(page, from_disk)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("child")
    expect(page.get_by_role("status")).to_contain_text("2 trajectories")
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator(".trajectory[data-ready] .verdict")).to_contain_text("reward 1")
    page.keyboard.press("[")
    expect(page.locator(".trajectory[data-ready] .verdict")).to_contain_text("reward 0")
    page.keyboard.press("Escape")
    expect(page.get_by_role("searchbox")).to_have_value("child")
    opened(page, f"{from_disk}{SEED}")
    for key in ("n", "n", "ArrowRight", "p"):
        page.keyboard.press(key)
    expect(page.locator(".rail .current")).to_have_text(re.compile("^3"))
    assert page.url.endswith("/seed/0/3")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator(".trajectory")).to_be_visible()


def test_only_the_rows_in_sight_are_drawn_and_the_last_ones_are_reached(page: Page, from_disk: str) -> None:
    opened(page, f"{from_disk}#/trajectories")
    assert 5 < len(titles(page)) < 60
    page.keyboard.press("End")
    expect(page.locator(f"[aria-posinset='{MANY + 6}'] .title")).to_be_in_viewport()
    assert len(titles(page)) < 60
    page.locator(".rows .entry").last.click()
    expect(page.locator(".trajectory[data-ready]")).to_contain_text(f"many-{MANY - 1}")
    page.go_back()
    expect(page.locator(f"[aria-posinset='{MANY + 6}'] .title")).to_be_in_viewport()


@pytest.mark.parametrize("view", ["#/", "#/trajectories?q=hostile", HOSTILE_ONE, "#/lineage/hostile"])
def test_nothing_that_a_trajectory_holds_is_parsed_or_run(page: Page, address: str, view: str) -> None:
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    opened(page, f"{address}{view}")
    expect(page.get_by_text("</pre></script><img src=x").first).to_be_attached()
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img[src=x], main script").count() == 0
    assert refused == []  # not even tried: the policy would tell


def test_hostile_texts_are_shown_as_they_are(page: Page, from_disk: str) -> None:
    opened(page, f"{from_disk}{HOSTILE_ONE}")
    # "?" is what the contracts keep of a lone surrogate.
    assert page.locator(".observation pre").evaluate("e => e.textContent") == f"{HOSTILE}?"
    assert page.locator(".call dt").all_inner_texts()[1] == "__proto__"


def test_the_policy_lets_no_text_become_markup_or_script(page: Page, address: str) -> None:
    opened(page, address)
    tried = "() => { try { document.body.innerHTML = '<b>x</b>' } catch (error) { return error.message } }"
    assert "TrustedHTML" in page.evaluate(tried)
    assert page.evaluate(INLINE) is None
    assert page.evaluate("fetch('https://example.com').then(() => 'sent', () => 'refused')") == "refused"


def test_screenshots_are_shown_enlarged_and_missing_ones_told(page: Page, address: str) -> None:
    opened(page, f"{address}#/trajectory/{ROUND}/shop/0")
    picture = page.get_by_role("img", name="The page after step 1")
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=picture.element_handle())
    picture.click()
    expect(page.get_by_role("dialog").get_by_role("img")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".step").nth(1)).to_contain_text("The screenshot was not kept.")


def test_a_text_that_was_cut_says_how_much_of_it_is_there(page: Page, from_disk: str) -> None:
    opened(page, f"{from_disk}#/trajectory/{ROUND}/long/0")
    expect(page.locator(".observation .cut")).to_contain_text("20,000 of 30,000 characters")


def test_a_tree_leads_from_a_seed_to_its_tasks_and_their_trajectories(page: Page, from_disk: str) -> None:
    opened(page, f"{from_disk}{SEED}")
    page.locator(".origin").get_by_role("link", name=re.compile("halve the sum")).click()
    tree = page.locator(".tree")
    expect(tree.locator(".this")).to_contain_text("50%")
    expect(tree.locator("summary").first).to_contain_text("Add the numbers of the list.")
    tree.locator(".this .square").first.click()
    expect(page.locator(".trajectory .verdict")).to_contain_text("19 is not 20")
    expect(page.locator(".chain .this")).to_contain_text("depth")


@pytest.mark.parametrize(
    ("name", "view", "still_there"),
    [
        ("trajectories/0000", SEED, "Add the numbers of the list."),
        ("texts", "#/trajectories?q=seed", "Add the numbers of the list."),
        ("index", "#/", ""),
        ("summary", "#/", ""),
    ],
)
def test_a_missing_file_is_named_and_the_rest_still_shown(
    page: Page, folder: Path, tmp_path: Path, name: str, view: str, still_there: str
) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "data" / f"{name}.js").unlink()
    opened(page, f"{copy.as_uri()}/index.html{view}")
    expect(page.locator(".trouble:visible")).to_contain_text(f"data/{name}.js is missing")
    expect(page.locator("main")).to_contain_text(still_there)


def test_an_address_of_nothing_says_so(page: Page, from_disk: str) -> None:
    opened(page, from_disk)
    for view in ("#/trajectory/no/such/0", "#/nowhere", "#/lineage/none", "#/trajectory/%E0%A4%A"):
        page.goto(f"{from_disk}{view}")
        expect(page.get_by_text(re.compile("^There is no "))).to_be_visible()


@pytest.mark.parametrize("view", VIEWS)
def test_a_narrow_screen_scrolls_in_one_direction_only(browser: Browser, from_disk: str, view: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    opened(page, f"{from_disk}{view}")
    expect(page.locator("main > *").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_a_narrow_screen_goes_step_by_step_with_buttons(browser: Browser, from_disk: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    opened(page, f"{from_disk}{SEED}")
    page.get_by_role("button", name="Next step").click()
    expect(page.locator(".stepbar")).to_contain_text("Step 2 of 12")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(browser: Browser, from_disk: str, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    for view in VIEWS:
        opened(page, f"{from_disk}{view}")
        expect(page.locator("main > *").first).to_be_visible()
        assert page.evaluate(FAINT) == []
    page.close()


def test_light_and_dark_are_changed_by_hand(page: Page, from_disk: str) -> None:
    opened(page, from_disk)
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Change between light and dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


INLINE = """() => {
  const button = document.createElement('button');
  try { button.setAttribute('onclick', "window.hacked = 'handler'") } catch {}
  document.body.append(button);
  button.click();
  return window.hacked;
}"""
"""What a handler in an attribute got done."""

FAINT = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const channels = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour[3] > 200) return colour;
    }
    return [255, 255, 255, 255];
  };
  const faint = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility({opacityProperty: true})) continue;
    const [a, b] = [light(channels(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...faint];
}"""
"""Texts whose contrast is less than WCAG 2.2 AA asks of them, 4.5 to 1."""
