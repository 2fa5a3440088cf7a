"""COSIGNERS and TIMESTAMP_AUTHORITIES, as the environment says them."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from raffles.web.witness_lists import Authority, Cosigner, authorities, cosigners

KEYS = [
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
]
URL = "https://w.example.org/witness"
ONE, TWO = Cosigner("one", KEYS[0], f"{URL}/1"), Cosigner("two", KEYS[1], f"{URL}/2")


@pytest.mark.parametrize(
    "text",
    [
        f"one {KEYS[0]} {URL}/1; two {KEYS[1]} {URL}/2",
        f"\n  one   {KEYS[0]}\t{URL}/1/  \n\ntwo {KEYS[1]} {URL}/2\n",
        f"one {KEYS[0]} {URL}/1;\ntwo {KEYS[1]} {URL}/2;",
    ],
)
def test_cosigners_stand_one_a_line_or_are_divided_by_semicolons(text: str) -> None:
    assert cosigners(text) == [ONE, TWO]


def test_a_semicolon_within_a_name_or_an_address_divides_nothing() -> None:
    (cosigner,) = cosigners(f"a;b {KEYS[0]} {URL}/;x")
    assert (cosigner.name, cosigner.url) == ("a;b", f"{URL}/;x")


def test_a_name_of_an_authority_may_have_spaces_and_its_address_a_query() -> None:
    assert authorities("Zeit & Siegel GmbH http://tsa.example.org/x?a=1; B https://b.example") == [
        Authority("Zeit & Siegel GmbH", "http://tsa.example.org/x?a=1"),
        Authority("B", "https://b.example"),
    ]


@pytest.mark.parametrize("read", [cosigners, authorities])
@pytest.mark.parametrize("text", ["", " \n ", ";"])
def test_nobody_is_listed_where_nothing_stands(read: object, text: str) -> None:
    assert callable(read)
    assert read(text) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"one {URL}", "there are not a name, a key and an address"),
        (f"one two {KEYS[0]} {URL}", "there are not a name, a key and an address"),
        (f"a+b {KEYS[0]} {URL}", "the name is not a name of 1 to 200 visible ASCII characters"),
        (f"ä {KEYS[0]} {URL}", "the name is not a name of 1 to 200 visible ASCII characters"),
        (f"{'a' * 201} {KEYS[0]} {URL}", "the name is not a name of 1 to 200"),
        (f"one {KEYS[0][:-1]} {URL}", "the key is not 64 lowercase hex digits"),
        (f"one {KEYS[0].upper()} {URL}", "the key is not 64 lowercase hex digits"),
        (f"one {'01' + '00' * 31} {URL}", "the key is not 64 lowercase hex digits"),  # small order
        (f"one {KEYS[0]} ftp://w.example.org", "does not begin with http:// or https://"),
        (f"one {KEYS[0]} https://me@w.example.org", "has a user name"),
        (f"one {KEYS[0]} {URL}?a=1", "the address has a query"),
        (f"one {KEYS[0]} {URL}/{'a' * 500}", "longer than 500 characters"),
        (f"one {KEYS[0]} {URL}; one {KEYS[1]} {URL}/2", "uses one name twice"),
        (f"one {KEYS[0]} {URL}; two {KEYS[0]} {URL}/2", "names one key twice"),
        (f"one {KEYS[0]} {URL}; two {KEYS[1]} {URL}/", "names one address twice"),
        (
            ";".join(f" w{n} {n:064x} {URL}/{n}" for n in range(2, 19)),
            "COSIGNERS names 17; terms hold 16 at most",
        ),
    ],
)
def test_cosigners_that_no_terms_could_hold_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="COSIGNERS") as refused:
        cosigners(text)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (URL, "the name is not text of 1 to 200 characters"),
        ("An authority", "does not begin with http:// or https://"),
        (f"A\u202eB {URL}", "the name is not text of 1 to 200 characters"),
        (f"A {URL}; A {URL}/2", "uses one name twice"),
        (f"A {URL}; B {URL}", "names one address twice"),
    ],
)
def test_authorities_that_no_terms_could_hold_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="TIMESTAMP_AUTHORITIES") as refused:
        authorities(text)
    assert sentence in str(refused.value)
