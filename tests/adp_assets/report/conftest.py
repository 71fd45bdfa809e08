"""A browser, and one report that it opens from its folder and over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, Page

from adp_assets.diversity.measure import measure
from adp_assets.report.content import Table
from adp_resources.task_stats import TaskRecord
from tests.adp_assets.report.scenes import ROUND, frame, screenshot, step, task, trajectory, web_step, written
from tests.chromium import chromium

HOSTILE = (
    "</pre></script><img src=x onerror=\"window.hacked='image'\">"
    "<script>window.hacked='script'</script>\u2028"
)
MANY = 1_500


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a few telling trajectories, and many that only make the list long."""
    base = tmp_path_factory.mktemp("report")
    kept = screenshot(base / "kept")
    tasks = [
        task("seed", "Add the numbers of the list. " + "Mind the details. " * 12 + "The xylophone is last."),
        task("child", "Add the numbers, then halve the sum.", "seed"),
        task("shop", "Order two cups of tea.", task_type="web", metadata={"domain": "trade"}),
        task("hostile", HOSTILE),
    ]
    trajectories = [
        trajectory("seed", [step(n, "\n".join(f"line {each}" for each in range(40))) for n in range(1, 13)]),
        trajectory("child", outcome="unsolved", success=False, reward=0.0, grade_reason="19 is not 20"),
        trajectory("child", sample=1),
        trajectory("shop", [web_step(1, kept), web_step(2, "0" * 64)], task_type="web", model="other-model"),
        trajectory(
            "hostile",
            [
                step(
                    1,
                    f"{HOSTILE}\ud800",
                    thought=HOSTILE,
                    tool_name=HOSTILE,
                    action_params={HOSTILE: HOSTILE, "__proto__": "own"},
                )
            ],
            outcome="infrastructure_error",
            verified=False,
            reward=None,
            error_type="system_error",
            error_message=f"the disk was full {HOSTILE}",
            grade_reason=HOSTILE,
            prompt=[{"role": HOSTILE, "content": HOSTILE}],
            tools=[{"type": "function", "function": {"name": HOSTILE, "description": HOSTILE}}],
            final_result=HOSTILE,
        ),
        trajectory("long", [step(1, "y" * 30_000)]),
    ]
    many = [trajectory(f"many-{n:04}", [step(1, "z" * 400)]) for n in range(MANY)]
    fates = pl.DataFrame(
        {
            "id": [f"{ROUND}/seed/0", f"{ROUND}/child/0"],
            "split": ["train", ""],
            "dropped": ["", "verified success"],
        }
    )
    return written(
        base / "report",
        frame(trajectories, tasks),
        frame(many),
        limit=5_000,
        tasks=tasks,
        fates=fates,
        funnel={"trajectories": len(trajectories) + MANY, "verified success": 1},
        diversity={ROUND: measure(tasks, [])},
        records=[TaskRecord("child", 2, 2, 1)],
        screenshots=base / "kept",
        about={"release": HOSTILE},
        tables=[Table("Contaminated", ["trajectory", "item"], [[f"{ROUND}/seed/0", HOSTILE]])],
    )


@pytest.fixture(scope="package")
def served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture
def from_disk(folder: Path) -> str:
    return f"{folder.as_uri()}/index.html"


@pytest.fixture(params=["from_disk", "served"])
def address(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose scripts may not fail."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(10_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    page.close()
    assert faults == []
