"""The operator that CONTRIBUTING.md shows is one."""

from __future__ import annotations

import re
from pathlib import Path

from adp_assets.mutation.operators.base import Operator
from tests.adp_assets.mutation.essences import essence
from tests.adp_assets.tasks import task

CONTRIBUTING = Path(__file__).parents[3] / "CONTRIBUTING.md"


def test_the_example_can_be_copied() -> None:
    (source,) = re.findall(r"```python\n# mypackage/operators.py\n(.*?)```", CONTRIBUTING.read_text(), re.S)
    names: dict[str, object] = {}
    exec(source, names)
    shown = names["FORMAL"]
    assert isinstance(shown, Operator)
    assert shown.name == "formal"
    assert shown.instruction
    reasoning = task("r", task_type="reasoning")
    assert shown.fits(essence(reasoning), reasoning)
    assert not shown.fits(essence(task("c")), task("c"))
