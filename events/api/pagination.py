"""Pages of coming draws, which are computed rather than rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request

from events.domain.calendar import ComingDraw
from rafflesite.pagination import LinkCursorPagination

_EVENTS = 2**28  # events that a cursor can tell apart within a second


class SoonestFirst(LinkCursorPagination):
    """Coming draws in order of their time; a cursor is a time and an event in one number."""

    default_limit = 1000

    def paginate_draws(self, draws: Sequence[ComingDraw], request: Request) -> list[ComingDraw]:
        """The page of ``draws`` (in order) that the request asks for; sets its link."""
        limit = self._limit(request)
        _, position = self._cursor(request)
        rest = [draw for draw in draws if position is None or _key(draw) > position]
        page = rest[:limit]
        self.links = []
        if len(rest) > limit:
            self.links = [self._link(request, "next", f"after-{_key(page[-1])}")]
        return page

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """`limit` and `cursor`."""
        return super().get_schema_operation_parameters(view)


def _key(draw: ComingDraw) -> int:
    return int(draw.draw_at.timestamp()) * _EVENTS + draw.event.pk % _EVENTS
