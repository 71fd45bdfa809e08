"""Secrets and personal data by their shape: what is found, and what is let be."""

from __future__ import annotations

import pytest

from runtimes.sensitive import personal_data_in, secrets_in


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("key=sk-proj-" + "a1B2" * 8, "an API key"),
        ("AIza" + "x" * 35, "an API key"),
        ("sk_live_" + "4eC39HqLyjWDarjtT1zd", "an API key"),
        ("sk-ant-api03-" + "a1-B2_c3D4e5F6g7H8i9" * 2, "an API key"),
        ("token ghp_" + "A" * 36, "an access token"),
        ("xoxb-1234567890-abcdefghij", "an access token"),
        ("Authorization: Bearer " + "a1B2" * 6, "an access token"),
        (r"{\"authorization\": \"Bearer " + "0f9e" * 8 + r"\"}", "an access token"),
        ("AKIAIOSFODNN7ABCDEFG", "an AWS key"),
        ("ASIAIOSFODNNXABCDEFG", "an AWS key"),
        ("aws_secret_access_key = " + "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", "an AWS key"),
        ('"SecretAccessKey": "' + "wJalrXUtnFEMI/K7+DENGbPxRfiCYq8Zr5tVu1Ls" + '"', "an AWS key"),
        ("postgres://bob:hunter2pass@db/x", "a password in an address"),
        ("redis://:8fk2-Qz0x@cache.internal:6379/0", "a password in an address"),
        ("https://bob:correct%20horse@git.acme.io/repo.git", "a password in an address"),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4", "a signed token"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "a private key"),
    ],
)
def test_what_looks_like_a_secret_is_named_by_its_kind(text: str, kind: str) -> None:
    assert list(secrets_in(f"before {text} after")) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        *("task-sk-1", "sk-short", "the ghost", "xox", "eyJ.eyJ.x", "PUBLIC KEY-----"),
        "CONSTRAINT pk_customer_order_line_items PRIMARY KEY, pk_customer_order_line_items_2024",
        ".sk-learn-compatible-estimator-classes, .sk-toggleable__content-estimator-id-12",
        "pk_12345678901234567890",
        "Authorization: Bearer $TOKEN",
        "Authorization: Bearer your-access-token-goes-here",
        "the Bearer of bad news 1234567890abcdefghijkl",
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "aws_secret_access_key = " + "x" * 40,
        "aws_secret_access_key = os.environ['AWS_SECRET_ACCESS_KEY']",
    ],
)
def test_what_only_begins_like_a_secret_is_none(text: str) -> None:
    assert not list(secrets_in(text))


@pytest.mark.parametrize(
    "address",
    [
        *("postgresql://user:pass@db/x", "ftp://username:password@ftp.acme.io", "amqp://guest:guest@mq"),
        *("mysql://root:secret@db", "mysql://root:pw@db", "http://bob:xxx@db", "http://bob:******@db"),
        *(
            "postgres://postgres:mysecretpassword@db",
            "http://me:YOUR_PASSWORD@db",
            "http://me:password123@db",
        ),
        *(
            "http://${USER}:${PASS}@db",
            "http://$USER:$PASSWORD@db",
            "http://{user}:{word}@db",
            "http://%s:%s@db",
        ),
        *("http://bob:<my own>@db", "'http://' + bob + ':' + hunter2 + '@db'", "http://bob:[redacted:PG]@db"),
        *("http://bob:hunter2pass@example.com", "http://bob:hunter2pass@db.example.org:80/x"),
        *("http://bob:hunter2pass@localhost/x", "mysql://scott:tiger@host:3306/x"),
        *("http://acme.io:8080/@bob", "http://acme.io:8080, bob@acme.io", "http://acme.io:8080?a=b@c"),
        *("ssh://git@github.com:22/x", "docker://nginx:1.25.3@sha256:0f9e8d"),
    ],
)
def test_an_address_without_somebodys_password_is_let_be(address: str) -> None:
    assert not list(secrets_in(f"see {address} there"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Write to maria.lopez@gmail.com today.", "an email address"),
        ("call +44 20 7946 0958", "a telephone number"),
        ("call (212) 736-5000 now", "a telephone number"),
        ("手机 138 0013 8000", "a mobile number"),
        ("card 4539 1488 0343 6467", "a payment card"),
        ("IBAN FR14 2004 1010 0505 0001 3M02 606", "a bank account"),
        ("身份证 11010519491231002X", "an identity number"),
        ("SSN 536-90-4399", "a social security number"),
    ],
)
def test_personal_data_is_named_by_its_kind(text: str, kind: str) -> None:
    assert list(personal_data_in(text)) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "isabella.lopez3271@example.com, x@shop.test and git@github.com",
        "the sum is 4539148803436468, the product 1234567890123456",
        "call (212) 555-0142",
        "pay with 4242 4242 4242 4242",
        "IBAN GB82 WEST 1234 5698 7654 32",
        "between 2020-01-02 and 2021-03-04, lines 100-200-3000",
        "110105194912310021",
        "x = a@b; d = (1) + 2 - 3",
        "+1 apple +2 pears, phi is 1.618033988749894848204586834",
    ],
)
def test_what_nobody_owns_and_plain_numbers_are_let_be(text: str) -> None:
    assert not list(personal_data_in(text))
