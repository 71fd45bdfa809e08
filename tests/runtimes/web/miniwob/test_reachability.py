"""The measure of what an agent could act on: it finds what is shown, and misses what is not."""

from __future__ import annotations

from benchmarks.web.oracles import ORACLES, Act
from benchmarks.web.reachability import reachability

DROP_TARGET = Act("#shape-container")
"""A rectangle that nothing can be clicked or typed into: no observation shows it."""


async def test_elements_without_a_role_are_shown_in_every_state_an_oracle_leads_to() -> None:
    names = ("click-color", "email-inbox-reply", "social-media", "use-autocomplete-nodelay", "click-menu-2")
    reach = await reachability({name: ORACLES[name] for name in names})
    assert reach.misses == []
    assert reach.tried > 50


async def test_an_element_that_is_not_shown_is_a_miss_and_is_named() -> None:
    reach = await reachability({"drag-shapes": (*ORACLES["drag-shapes"], DROP_TARGET)})
    assert 0 < reach.ratio < 1
    assert len(reach.misses) == 1
    assert reach.misses[0].startswith("drag-shapes 0 #shape-container: <rect")
