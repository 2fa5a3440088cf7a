"""Tables as spreadsheets save them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import date

import pytest

from raffles.web.tables import (
    Text,
    UnreadableTable,
    order_of,
    read_date,
    read_table,
    read_text,
    read_whole,
)

HEAD = "holder;tickets;name\n"


def rows(text: str) -> list[tuple[int, dict[str, str] | str]]:
    found = read_table(
        text.splitlines(keepends=True), needed=["holder"], optional=["name", "tickets"]
    )
    return [(row.line, row.fault or dict(row.values)) for row in found]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xef\xbb\xbfa,b", Text("a,b", "UTF-8")),
        ("ä,b".encode(), Text("ä,b", "UTF-8")),
        ("ä€,b".encode("cp1252"), Text("ä€,b", "Windows-1252")),
        ("ä,b".encode("utf-16"), Text("ä,b", "UTF-16")),
        ("a,b".encode("utf-16-le"), Text("a,b", "UTF-16")),
        ("a,b".encode("utf-16-be"), Text("a,b", "UTF-16")),
        (b"", Text("", "UTF-8")),
    ],
)
def test_encodings_are_found(content: bytes, expected: Text) -> None:
    assert read_text(content, most=100) == expected


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a" * 101, "more than 100 bytes"),
        (b"PK\x03\x04", "Save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "Save it as CSV"),
        (b"\xff\xfea", "not text"),
        (b"a\0b,c,d,e", "not text"),
        (b"\x81\x8d", "not text"),
    ],
)
def test_what_is_no_text_is_told(content: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableTable, match=sentence):
        read_text(content, most=100)


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_a_line_may_say_the_separator(sign: str) -> None:
    text = "sep=;\r\nHolder;NAME;;\r\na,b;c|d;;\r\n;;;\r\ne;f\r\n".replace(";", sign)
    cell = "a,b" if sign != "," else None
    told = rows(text)
    assert told[-1] == (5, {"holder": "e", "name": "f"})
    if cell and sign != "|":
        assert told[0] == (3, {"holder": cell, "name": "c|d"})


def test_rows_know_their_line_and_their_cells() -> None:
    text = HEAD + 'a;1;"two\nlines"\n\nb;2;\nc;3\nd;4;x;y\n'
    found = list(
        read_table(text.splitlines(keepends=True), needed=["holder"], optional=["name", "tickets"])
    )
    assert [(row.line, row.row, row.fault) for row in found] == [
        (2, 2, ""),
        (5, 4, ""),
        (6, 5, "3 values are needed"),
        (7, 6, "3 values are needed"),
    ]
    assert found[0].values["name"] == "two lines"
    assert found[1].places == {"holder": "A4", "tickets": "B4", "name": "C4"}


@pytest.mark.parametrize("head", ["", "name\n", "holder,holder\n", "holder,age\n", '"holder\n'])
def test_wrong_names_are_one_fault(head: str) -> None:
    ((line, fault),) = rows(head + "a,b\nc,d\n" if '"' not in head else head)
    assert line == 1
    assert fault == "the columns must be holder, and may be name,tickets"


def test_a_quotation_mark_left_open_is_told_where_it_is() -> None:
    assert rows('holder,name\na,b\nc,"d\ne,f\n')[1] == (
        3,
        "this is not CSV (unexpected end of data); is a quotation mark left open?",
    )


def test_what_an_export_kept_from_being_computed_is_undone() -> None:
    assert rows("holder,name\n'=1+1,'quoted'\n") == [(2, {"holder": "=1+1", "name": "'quoted'"})]


def test_rows_are_read_one_by_one() -> None:
    def lines() -> Iterator[str]:
        yield "holder\n"
        for n in range(20_000):
            yield f"member {n}\n"

    tracemalloc.start()
    try:
        assert sum(1 for _ in read_table(lines(), needed=["holder"])) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


DAY = date(2027, 2, 10)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("2027-02-10", ""),
        ("2027-02-10 00:00:00", ""),
        ("2027-02-10T00:00", ""),
        ("10.02.2027", ""),
        ("10.2.2027", ""),
        ("02/10/2027", "month"),
        ("10/2/2027", "day"),
        ("10/02/2027 00:00", "day"),
    ],
)
def test_dates(text: str, order: str) -> None:
    assert read_date(text, order) == DAY  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.2.27",
        "2027-02-30",
        "31.2.2027",
        "2027-2-10",
        "2027-02-10 08:00",
        "tomorrow",
        "٢٠٢٧-٠٢-١٠",
    ],
)
def test_other_dates_are_told(text: str) -> None:
    with pytest.raises(ValueError, match="write a date such as 2030-01-31"):
        read_date(text, "day")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("31.2.2027", "there is no such day"),
        ("2027-02-30", "there is no such day"),
        ("31/02/2027", "there is no such day"),
        ("46428", "this is a number; show it as a date"),
        ("46428.5", "this is a number; show it as a date"),
        ("4642", "^write a date such as"),
    ],
)
def test_date_that_a_spreadsheet_has_otherwise_is_told_apart(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_date(text, "day")


def test_what_stands_first_is_seen_where_it_can_be() -> None:
    assert order_of(["2027-02-10", "x"]) is None
    assert order_of(["02/10/2027", "03/10/2027"]) == ""
    assert order_of(["02/10/2027", "13/10/2027"]) == "day"
    assert order_of(["02/10/2027", "02/13/2027"]) == "month"
    with pytest.raises(ValueError, match="is the day or the month first"):
        read_date("02/10/2027")


@pytest.mark.parametrize("text", ["3", "3.0", "3,00", "03"])
def test_whole_numbers(text: str) -> None:
    assert read_whole(text, 1, 5) == 3


@pytest.mark.parametrize("text", ["", "0", "6", "-3", "3.5", "1e1", "٣", "1 000", "9" * 5000])
def test_other_numbers_are_told(text: str) -> None:
    with pytest.raises(ValueError, match="write a number from 1 to 5"):
        read_whole(text, 1, 5)
