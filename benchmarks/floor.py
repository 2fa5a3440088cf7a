"""The floors that taking part is compared with: one durable insert, alone and behind a DRF view.

Served with `benchmarks.floor_settings` as a *bare* view without any middleware, or as *stock*:
what a new Django project with DRF has for the same duties.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Callable

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

_INSERT = """
    INSERT INTO bare_ticket (raffle_id, slot, holder_tag, code_tag, nth, issued_at)
    VALUES (%s, %s, %s, %s, 0, %s)
"""
_slots = itertools.count()
_log = logging.getLogger("access")


def make_bare_table() -> None:
    """Make a table with every index and check of the tickets; only the foreign key stays away."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("CREATE TABLE bare_ticket (LIKE raffles_ticket INCLUDING ALL)")
            return
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'raffles_ticket' "
            "AND sql IS NOT NULL AND type IN ('table', 'index') ORDER BY type DESC"
        )
        for name, statement in cursor.fetchall():
            cursor.execute(
                statement.replace(f'INDEX "{name}"', f'INDEX "bare_{name}"')
                .replace("raffles_ticket", "bare_ticket")
                .replace('REFERENCES "raffles_raffle" ("id") DEFERRABLE INITIALLY DEFERRED', "")
            )


def insert() -> int:
    """Insert a row and return its slot; the pair of process and slot is unique."""
    slot, now = next(_slots), connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [os.getpid(), slot, os.urandom(16), os.urandom(16), now])
    return slot


class Insert(APIView):
    """One row, one answer."""

    def post(self, request: Request) -> Response:  # noqa: ARG002
        return Response({"slot": insert()}, status=201)


def log_access(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Write a line for each request, as a middleware."""

    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = get_response(request)
        milliseconds = (time.perf_counter() - started) * 1000
        _log.info(
            "%s %s %s %.1f ms", request.method, request.path, response.status_code, milliseconds
        )
        return response

    return middleware


urlpatterns = [path("", Insert.as_view())]
