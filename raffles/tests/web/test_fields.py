"""Fields that take exactly what they say."""

import pytest
from django.test import Client

pytestmark = pytest.mark.urls("raffles.tests.web.urls")

CONTROL = "Control, bidirectional and zero-width characters are not allowed."
BLANK = "At least one visible character is needed."


def errors_of(client: Client, body: dict[str, object]) -> dict[str, list[str]]:
    response = client.post("/echo/", body, content_type="application/json")
    assert response.status_code == 400
    errors: dict[str, list[str]] = response.json()["errors"]
    return errors


@pytest.mark.parametrize("number", [0, 1, -1, 2**63 - 1, -(2**63)])
def test_integers_are_taken(client: Client, number: int) -> None:
    response = client.post("/echo/", {"number": number}, content_type="application/json")
    assert response.json() == {"number": number}


@pytest.mark.parametrize(
    "text",
    [
        *("true", "false", "1.0", "1e2", "1E400000000", "0.1", "[]", "{}", '"1"', '" 5 "'),
        *('"1_000"', '"５"', '"0x10"', '""', "null", "9223372036854775808", "1" + "0" * 40),
        "1" + "0" * 4000,
    ],
)
def test_what_resembles_an_integer_is_refused(client: Client, text: str) -> None:
    body = f'{{"number": {text}}}'
    response = client.generic("POST", "/echo/", body, "application/json")
    assert response.status_code == 400
    assert response.json()["code"] in ("invalid", "malformed_body")


@pytest.mark.parametrize(
    "text",
    ["Kaffeemühle", "抽選会", "🎁", "é", "a" * 200, "<b>", "=1+1", "?", "1", "مرحبا", "日　本"],
)
def test_visible_text_is_kept_as_it_is(client: Client, text: str) -> None:
    response = client.post("/echo/", {"name": text}, content_type="application/json")
    assert response.json() == {"name": text}


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم",  # Persian: joined on both sides of a break
        "نامه\u200cای",
        "م\u064e\u200c\u064eن",  # with vowel signs between
        "क्\u200dष",  # Devanagari, behind a virama
        "क्\u200cष",
        "ශ්\u200dරී",  # Sinhala
        "👨\u200d👩\u200d👧\u200d👦",
        "👩🏽\u200d🚀",
        "❤\ufe0f\u200d🔥",
        "🏳\ufe0f\u200d🌈",
        "🏴\u200d☠\ufe0f",
        "🙂\u200d↔\ufe0f",
        "🐦\u200d⬛",
        "👁\ufe0f\u200d🗨\ufe0f",
        "🧑🏻\u200d❤\ufe0f\u200d🧑🏿",
    ],
    ids=ascii,
)
def test_joiners_are_kept_where_they_are_read(client: Client, text: str) -> None:
    response = client.post("/echo/", {"name": text}, content_type="application/json")
    assert response.json() == {"name": text}


def test_outer_whitespace_is_dropped(client: Client) -> None:
    response = client.post("/echo/", {"name": "  Mill\u3000"}, content_type="application/json")
    assert response.json() == {"name": "Mill"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a\0b", CONTROL),
        ("\n", CONTROL),
        ("Mill\r\n", CONTROL),
        ("a\tb", CONTROL),
        ("\x7f", CONTROL),
        ("a\u202eb", CONTROL),
        ("\u2066a", CONTROL),
        ("\u200b", CONTROL),
        ("a\u200d", CONTROL),
        ("\u200da", CONTROL),
        ("a\u200cb", CONTROL),
        ("a\u200db", CONTROL),
        ("م\u200c", CONTROL),
        ("\u200cم", CONTROL),
        ("د\u200cم", CONTROL),  # the first does not join to the left anyway
        ("م\u200dم", CONTROL),
        ("م\u200c\u200cم", CONTROL),
        ("क\u200dष", CONTROL),
        ("👨\u200d", CONTROL),
        ("\u200d👨", CONTROL),
        ("👨\u200d\u200d👩", CONTROL),
        ("👨\u200c👩", CONTROL),
        ("👨\u200da", CONTROL),
        ("5\u200d👩", CONTROL),
        ("©\u200d©", CONTROL),
        ("a\u034fb", CONTROL),
        ("a\ufffe", CONTROL),
        ("a\uffff", CONTROL),
        ("a\ufdd0", CONTROL),
        ("a\U0001ffff", CONTROL),
        ("a\U0010fffe", CONTROL),
        ("\ufeffa", CONTROL),
        ("a\u2028b", CONTROL),
        ("\U000e0041", CONTROL),
        ("   ", BLANK),
        ("\u3164\u2800", BLANK),
        ("\u0301", BLANK),
        ("", "This field may not be blank."),
        (None, "This field may not be null."),
        (5, "Not a valid string."),
        (True, "Not a valid string."),
        (["a"], "Not a valid string."),
        ({"a": "b"}, "Not a valid string."),
        ("a" * 201, "Ensure this field has no more than 200 characters."),
    ],
    ids=ascii,
)
def test_other_text_is_refused(client: Client, text: object, sentence: str) -> None:
    assert errors_of(client, {"name": text}) == {"name": [sentence]}


@pytest.mark.parametrize("name", [" ada", "ada ", "ada\u00a0"])
def test_outer_whitespace_is_refused_where_names_are_compared(client: Client, name: str) -> None:
    assert errors_of(client, {"username": name}) == {
        "username": ["Spaces around it are not allowed."]
    }
