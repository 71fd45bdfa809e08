"""What a page_state verifier's spec may say, and when two addresses are one. No browser here."""

from __future__ import annotations

import re
from typing import Any

import pytest

from runtimes.contracts import Verifier
from runtimes.errors import InvalidTask
from runtimes.grading.base import check_verifier
from runtimes.grading.urls import same_url

URL, AT = {"url": "http://shop.test/"}, {"at": "last_page"}


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"checks": []}, "length"),
        ({"checks": [{**URL, "script": "1", "expected": 1, "wait": 3}]}, "wait"),
        ({"checks": [{**URL, "script": "1", "expected": 1}, {**AT, "script": "1"}]}, "spec.checks[1]`"),
        ({"script": "1", "expected": 1}, "`url` and `at`"),
        ({**URL, **AT, "script": "1", "expected": 1}, "`url` and `at`"),
        ({"at": "first_page", "script": "1", "expected": 1}, "at"),
        ({**URL, "expected": 1}, "`script` and `locator`"),
        ({**URL, "script": "1", "locator": "p", "expected": 1}, "`script` and `locator`"),
        ({**URL, "script": "1", "read": "text", "expected": 1}, "without the `locator`"),
        ({**URL, "locator": "p", "read": "text", "attribute": "id", "expected": 1}, "`read` or `attribute`"),
        ({**URL, "read": "url", "expected": "http://shop.test/"}, "last_page"),
        ({**AT, "read": "url", "expected": 3}, "an address"),
        ({"url": "/cart", "script": "1", "expected": 1}, "no whole http or https address: '/cart'"),
        ({"url": "file:///etc/passwd", "script": "1", "expected": 1}, "no whole http or https address"),
        ({**URL, "script": "1", "expected": 1, "contains": 1}, "exactly one of `expected`"),
        ({**URL, "locator": "p", "matches": "("}, "regular expression"),
        ({**URL, "locator": "p", "at_least": "many"}, "at_least"),
    ],
)
def test_a_spec_that_cannot_be_judged_by_is_refused_and_says_where(spec: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidTask, match=re.escape(named)):
        check_verifier(Verifier("page_state", spec))


@pytest.mark.parametrize(
    ("kind", "spec", "place", "allowed"),
    [
        (
            "page_state",
            {"checks": [{**URL, "locator": "p", "read": "html", "expected": 1}]},
            "at `$.verifier.spec.checks[0].read`",
            "`text`, `url`, `value`, `visible`",
        ),
        (
            "page_state",
            {"checks": [{**URL, "script": "1", "expected": 1, "wait": 3}]},
            "at `$.verifier.spec.checks[0].wait`",
            "`url`, `at`, `script`",
        ),
        ("page_state", {"at": "first_page", "script": "1"}, "at `$.verifier.spec.at`", "`last_page`"),
        ("page_state", {**URL, "expects": 1}, "at `$.verifier.spec.expects`", "`expected`, `contains`"),
        ("page_state", {"checks": [URL], "wait": 3}, "at `$.verifier.spec.wait`", "`checks`"),
        (
            "python_tests",
            {"cases": [{"call": "f()", "expect": 1, "expected": 1}]},
            "at `$.verifier.spec.cases[0].expect`",
            "`call`, `expected`",
        ),
        ("numeric", {"expected": 1, "within": 2}, "at `$.verifier.spec.within`", "`expected`, `tolerance`"),
    ],
)
def test_a_wrong_field_or_word_is_told_by_its_place_in_the_task_with_what_is_allowed(
    kind: str, spec: dict[str, Any], place: str, allowed: str
) -> None:
    with pytest.raises(InvalidTask) as refused:
        check_verifier(Verifier(kind, spec))
    assert place in refused.value.message
    assert allowed in refused.value.message.partition(place)[2]


@pytest.mark.parametrize(
    ("kind", "spec", "place"),
    [
        ("numeric", {}, "`expected` - at `$.verifier.spec`"),
        ("numeric", {"expected": 1, "tolerance": -1}, "- at `$.verifier.spec.tolerance`"),
        ("python_tests", {"cases": [{"call": "f()"}]}, "`expected` - at `$.verifier.spec.cases[0]`"),
        ("python_tests", {"cases": [{"call": "f(", "expected": 1}]}, "at `$.verifier.spec.cases[0].call`"),
    ],
)
def test_what_is_missing_or_makes_no_sense_is_told_by_its_place_too(
    kind: str, spec: dict[str, Any], place: str
) -> None:
    with pytest.raises(InvalidTask, match=re.escape(place)):
        check_verifier(Verifier(kind, spec))


@pytest.mark.parametrize(
    ("url", "expected", "same"),
    [
        ("http://shop.test", "http://SHOP.test:80/", True),
        ("https://a.example:443/x", "https://a.example/x", True),
        ("http://a.example/%7Euser/b/../c", "http://a.example/~user/c", True),
        ("http://a.example/?b=2&a=1", "http://a.example/?a=1&b=2", True),
        ("http://a.example/x#part", "http://a.example/x", True),
        ("http://a.example/x", "http://a.example/x#part", False),
        ("http://a.example/x/", "http://a.example/x", False),
        ("http://a.example/a%2Fb", "http://a.example/a/b", False),
        ("http://a.example:8080/", "http://a.example/", False),
        ("https://a.example/", "http://a.example/", False),
        ("about:blank", "about:blank", True),
    ],
)
def test_two_spellings_of_one_address_are_the_same(url: str, expected: str, same: bool) -> None:
    assert same_url(url, expected) is same
