"""How PostgreSQL answers what would take it long on a large site: by which index, by which join."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from raffles.models import Announcement, Handover, Winner

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

# A join with nothing on its other side: PostgreSQL expects no row of it, whatever there is.
WITHOUT_REPLACEMENT = {
    "those with a deadline": Handover.objects.unclaimed,
    "those without": Winner.objects.unclaimed,
    "those to hand over": Winner.objects.held,
}


def plan(rows: QuerySet[Any]) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # a few rows are read faster
    return rows.explain()


@pytest.mark.parametrize("which", WITHOUT_REPLACEMENT)
def test_who_keeps_a_prize_is_known_by_an_anti_join(which: str) -> None:
    assert "Anti Join" in plan(WITHOUT_REPLACEMENT[which]())


def test_news_of_winners_are_read_past_all_other_statements() -> None:
    news = Announcement.objects.of_winners().order_by("-sequence")
    assert "announcement_winners" in plan(news[:25])
