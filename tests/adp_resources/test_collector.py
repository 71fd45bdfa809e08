"""The garbage collector's settings while episodes run."""

from __future__ import annotations

import gc

import pytest

from adp_resources.collector import THRESHOLDS, rare_collections


def test_what_was_there_before_is_left_out_and_all_is_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with rare_collections():
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_a_failure_inside_leaves_no_trace() -> None:
    before = gc.get_threshold()
    with pytest.raises(KeyError), rare_collections():
        raise KeyError
    assert gc.get_threshold() == before
