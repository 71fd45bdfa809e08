"""The services that episodes share, as the settings want them."""

from __future__ import annotations

from pathlib import Path

import pytest

from adp_resources.resources import FanOutResource, resources
from runtimes.contracts import TaskSpec
from runtimes.errors import ToolError

FETCH = "import urllib.request\nurllib.request.urlopen('http://evil.test/', timeout=10)"


async def test_forbidden_domains_are_closed_to_pages_and_sandboxes_of_tasks_that_name_them(
    tmp_path: Path,
) -> None:
    fanout = resources(project_root=str(tmp_path), forbidden_domains="evil.test", chosen_model="builtin")[
        "fanout"
    ]
    assert isinstance(fanout, FanOutResource)
    named = {"start_url": "http://shop.test/", "allowed_domains": ["evil.test"]}
    task = TaskSpec(task_type="web", description="Look around.", constraints=named).named()
    async with fanout.services() as services:
        async with services.browsers.page(task) as page:
            with pytest.raises(ToolError, match="forbidden here"):
                await page.goto("http://www.evil.test/")
        ran = await services.sandboxes.run(code=FETCH, hosts=["evil.test"])
        assert ran.blocked_requests == ("evil.test:80 is denied",)
