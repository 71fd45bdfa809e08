"""What is said of a round's measures."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from adp_assets.diversity.measure import measure
from adp_assets.diversity.shown import in_words
from runtimes.contracts import TaskSpec


@pytest.mark.parametrize(
    ("domains", "said"), [(["", ""], "domains not named"), (["graphs", "sorting"], "domains 1.00 bits")]
)
def test_domains_that_nobody_named_are_not_said_to_be_all_the_same(domains: list[str], said: str) -> None:
    task = TaskSpec(task_id="a", task_type="code", description="Sort the numbers.")
    tasks = [replace(task, task_id=str(n), metadata={"domain": domain}) for n, domain in enumerate(domains)]
    assert in_words(measure(tasks, [])).startswith(said)
