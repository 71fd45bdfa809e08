"""The web runtime from Python, as docs/web.md shows it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_example_of_the_documentation_runs_as_it_stands() -> None:
    (example,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/web.md").read_text(encoding="utf-8"), re.DOTALL
    )
    ran = subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    *seen, record = ran.stdout.splitlines()
    assert seen[0] == "URL: http://shop.test/product/121"
    assert json.loads(record)["url_after"] == "http://shop.test/product/121"
    assert json.loads(record).keys() >= {"ref", "locator", "box", "url_before", "snapshot", "page_changed"}
