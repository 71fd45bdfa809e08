"""A person's way through the UI, in a real browser: add a round, materialize it, look at what it gave.

Pictures are kept in output/screenshots, or in the folder that the variable ADP_SCREENSHOTS names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import chromium
from tests.e2e.dagster_dev import DagsterDev, dagster_dev
from tests.e2e.project import ROOT, Project
from tests.e2e.test_dagster import ASSETS

ROUND = "round-0001"
TASKS = 9
ZOOMED_OUT = 2
GROUPS = ["intake", "execution", "distillation", "mutation", "curation"]


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterDev]:
    """Dagster over a few of the example tasks of every type, with the built-in teacher as the model."""
    settings = {"CHOSEN_MODEL": "builtin", "TEACHER_ERROR_RATE": 0, "FEEDBACK_ENABLED": "false"}
    project = Project.make(tmp_path_factory.mktemp("project"), settings)
    examples = (ROOT / "examples" / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
    chosen = examples[:: len(examples) // TASKS][:TASKS]
    (project.folder / "tasks.jsonl").write_text("\n".join(chosen) + "\n", encoding="utf-8")
    with dagster_dev(project) as running:
        # Else a dialog that invites to a mailing list may open over any other.
        running.ask("mutation { setNuxSeen }")
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def pictures() -> Path:
    folder = Path(os.environ.get("ADP_SCREENSHOTS") or ROOT / "output" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def page(browser: Browser, ui: DagsterDev) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1600, "height": 1000}, base_url=ui.url)
    page.set_default_timeout(30_000)
    yield page
    page.close()


@pytest.fixture(scope="module")
def round_made_in_the_ui(page: Page, pictures: Path) -> str:
    """A round added and materialized by clicking; the run's page has said that it succeeded."""
    page.goto("/locations/adp_assets.definitions/jobs/round/")
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_role("button", name="Add a partition").click()
    page.get_by_placeholder("name", exact=True).fill(ROUND)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Save")).to_be_hidden()
    # The dialog means to select the new partition, and forgets it when its list of them comes in late.
    page.get_by_text("All", exact=True).click()
    page.get_by_role("button", name="Launch 1 run").click()
    page.get_by_text("View", exact=True).click()
    expect(page.get_by_text("Success", exact=True)).to_be_visible(timeout=120_000)
    page.screenshot(path=pictures / "run.png")
    return ROUND


def test_a_round_made_in_the_ui_executes_its_tasks(ui: DagsterDev, round_made_in_the_ui: str) -> None:
    episodes = ui.project.episodes(round_made_in_the_ui)

    assert len(episodes) == TASKS
    assert {row.outcome for row in episodes.values()} == {"solved"}


def test_the_asset_graph_shows_every_stage(page: Page, round_made_in_the_ui: str, pictures: Path) -> None:
    page.goto("/asset-groups")
    for group in GROUPS:
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    page.keyboard.press("Alt+KeyE")
    expect(page.get_by_text("seed_tasks", exact=True).first).to_be_visible()
    for _ in range(ZOOMED_OUT):  # what is beyond the window is not drawn
        page.get_by_role("button", name="zoom_out").click()
    for asset in [name for name in ASSETS if name != "reasoning_trajectories"]:
        expect(page.get_by_text(asset, exact=True).first).to_be_visible()
    expect(page.get_by_text("reas…_trajectories").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=pictures / "graph.png")


def test_a_dataset_shows_its_rows_and_its_chart(
    page: Page, round_made_in_the_ui: str, pictures: Path
) -> None:
    page.goto(f"/assets/training_dataset?view=partitions&partition={round_made_in_the_ui}")
    for column in ("split", "task_id", "reward"):
        expect(page.get_by_role("columnheader", name=column, exact=True)).to_be_visible()
    expect(page.get_by_role("cell", name="train", exact=True).first).to_be_visible()
    page.screenshot(path=pictures / "dataset.png")

    page.get_by_role("row").filter(has=page.get_by_text("chart", exact=True)).get_by_text("[Show").click()
    chart = page.get_by_role("img", name="Funnel")
    expect(chart).to_be_visible()
    assert chart.evaluate("picture => picture.complete && picture.naturalWidth") > 300
    page.screenshot(path=pictures / "chart.png")


def test_the_checks_of_an_asset_have_passed(page: Page, round_made_in_the_ui: str, pictures: Path) -> None:
    page.goto("/assets/training_dataset?view=checks")
    expect(page.get_by_text("Passed").first).to_be_visible()
    page.screenshot(path=pictures / "checks.png")
