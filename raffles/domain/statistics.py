"""Counting entries by day without reading them all.

Within a stripe slots are handed out in order of time, so a binary search finds where a day ends,
however many tickets lie between. Ten million of them cost as much as some thousand lookups.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from django.db import connection

# All days before the first wanted one count as one day: nobody asks where they end.
_DAY: Final = {
    "postgresql": "greatest((issued_at AT TIME ZONE 'UTC')::date, %(before)s::date)",
    "sqlite": "max(date(issued_at), %(before)s)",
}
_BY_DAY: Final = """
    WITH RECURSIVE pool AS (
        SELECT id FROM raffles_raffle WHERE state NOT IN ('drawn', 'void') OR voided_at >= %(since)s
        UNION SELECT raffle_id FROM raffles_draw WHERE drawn_at >= %(since)s
    ), stripe AS (
        SELECT raffle_id AS raffle, lo, lo + issued - 1 AS hi FROM raffles_stripe
        WHERE issued > 0 AND raffle_id IN (SELECT id FROM pool)
    ), whole AS (
        SELECT raffle, lo, hi, {lo} AS lo_day, {hi} AS hi_day FROM stripe
    ), span AS (
        SELECT raffle, lo, hi, lo_day, hi_day FROM whole
        UNION ALL
        SELECT raffle,
            CASE half WHEN 0 THEN lo ELSE (lo + hi) / 2 END,
            CASE half WHEN 0 THEN (lo + hi) / 2 ELSE hi END,
            CASE half WHEN 0 THEN lo_day ELSE {middle} END,
            CASE half WHEN 0 THEN {middle} ELSE hi_day END
        FROM span, (SELECT 0 AS half UNION ALL SELECT 1) AS halves
        WHERE lo_day <> hi_day AND hi - lo > 1
    ), counted AS (
        SELECT lo_day AS day, 1 AS entries FROM whole
        UNION ALL
        SELECT hi_day, hi - lo FROM span WHERE lo_day = hi_day OR hi - lo = 1
    )
    SELECT day, sum(entries) FROM counted WHERE day > %(before)s GROUP BY day
"""


def entries_by_day(first: date, last: date) -> dict[date, int]:
    """Return how many tickets were handed out on each day (UTC) from `first` to `last`, inclusive.

    It takes one query.
    """
    day = _DAY[connection.vendor]
    found = f"(SELECT {day} FROM raffles_ticket WHERE raffle_id = raffle AND slot = {{}})"  # noqa: S608
    statement = _BY_DAY.format(
        lo=found.format("lo"), hi=found.format("hi"), middle=found.format("(lo + hi) / 2")
    )
    since = datetime.combine(first, time(), UTC)
    values = {
        "since": connection.ops.adapt_datetimefield_value(since),
        "before": str(first - timedelta(days=1)),
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        counted = {date.fromisoformat(str(on)): int(entries) for on, entries in cursor.fetchall()}
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return {on: counted.get(on, 0) for on in days}
