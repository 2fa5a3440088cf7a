"""A moment is written in one of four ways, always with the zone of its clock."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from raffles.web.formats import MINUTE, SECOND, SHORT, WEEKDAY, quotable, shown

BERLIN = ZoneInfo("Europe/Berlin")
MOMENT = datetime(2026, 2, 10, 7, 0, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (MINUTE, "2026-02-10 07:00 UTC"),
        (SECOND, "2026-02-10 07:00:59 UTC"),
        (WEEKDAY, "Tue 2026-02-10 07:00 UTC"),
        (SHORT, "Tue 10 Feb, 07:00 UTC"),
    ],
)
def test_every_style_names_the_zone(style: str, text: str) -> None:
    assert shown(MOMENT, style) == text
    assert shown(MOMENT.astimezone(BERLIN), style) == text


def test_the_clock_is_that_of_the_zone() -> None:
    assert shown(MOMENT, WEEKDAY, zone=BERLIN) == "Tue 2026-02-10 08:00 CET"


def test_no_moment_is_a_dash_or_what_the_caller_says() -> None:
    assert (shown(None), shown(None, missing="never")) == ("—", "never")


def test_what_is_quoted_is_short_and_turns_no_sentence_around() -> None:
    assert quotable(" 3\u202eguM \n") == "3\ufffdguM"
    assert quotable("x" * 101) == "x" * 100 + "…"
    assert quotable("Größe 🎁") == "Größe 🎁"
