"""What counts as the same page when the same actions were done twice."""

from __future__ import annotations

import pytest

from runtimes.web.replay.compare import first_difference, same_text, same_url


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://a.example", "http://a.example/"),
        ("http://a.example/?b=1&a=2", "http://a.example/?a=2&b=1"),
        ("http://a.example/?q=tea&utm_source=x&gclid=1", "http://a.example/?q=tea"),
        ("http://a.example/?q=tea&PHPSESSID=1", "http://a.example/?q=tea&PHPSESSID=2"),
        ("http://a.example/o/9f86d081884c7d65", "http://a.example/o/60303ae22b998861"),
        (
            "http://a.example/?id=2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d",
            "http://a.example/?id=1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
        ),
        ("http://a.example/?at=1712345678", "http://a.example/?at=1712345999"),
    ],
)
def test_addresses_that_differ_by_visit_only_are_the_same(one: str, other: str) -> None:
    assert same_url(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://a.example/cart", "http://a.example/login"),
        ("http://a.example/", "https://a.example/"),
        ("http://a.example/", "http://a.example:8080/"),
        ("http://a.example/?q=tea", "http://a.example/?q=coffee"),
        ("http://a.example/?q=tea", "http://a.example/"),
        ("http://a.example/?page=2", "http://a.example/?page=3"),
        ("http://a.example/#/cart", "http://a.example/#/home"),
        ("http://a.example/product/101", "http://a.example/product/138"),
    ],
)
def test_addresses_of_different_pages_differ(one: str, other: str) -> None:
    assert not same_url(one, other)


def test_a_page_is_the_same_whatever_its_refs_and_its_visit() -> None:
    one = (
        'URL: http://a.example/?sid=1\nTitle: Tea\n\n- button "Buy" [ref=e12] [cursor=pointer]\n'
        "- text: Reference 9f86d081884c7d65, 12:30:59"
    )
    other = (
        'URL: http://a.example/?sid=2\nTitle: Tea\n\n- button "Buy" [ref=f1e31]\n'
        "- text: Reference 60303ae22b998861, 18:02:11"
    )
    assert same_text(one, other)
    assert first_difference(one, other) == ""


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("a\nTotal: $37.00\nb", "a\nTotal: $18.50\nb", "recorded: Total: $37.00; now: Total: $18.50"),
        ("a\nb\nc", "a\nc", "missing: b"),
        ("a\nc", "a\nb\nc", "new: b"),
        ("2024-05-01", "2024-05-02", "recorded: 2024-05-01; now: 2024-05-02"),
        ("a\nb\nc\nd", "a", "missing: b (and 2 more lines)"),
        ("- textbox [active]", "- textbox", "recorded: - textbox [active]; now: - textbox"),
    ],
)
def test_the_first_difference_is_told(one: str, other: str, told: str) -> None:
    assert not same_text(one, other)
    assert first_difference(one, other) == told
