"""The floor over HTTP: a DRF view that inserts one row durably and answers, and nothing else.

It has no middleware at all, so that what is compared is everything that taking part adds to an
insert: claim, tags, code, number and receipt, permission, throttle, strictness and logs. Served
with `benchmarks.bare_settings`.
"""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.floor import insert


class Insert(APIView):
    """One row, one answer."""

    def post(self, request: Request) -> Response:  # noqa: ARG002
        return Response({"slot": insert()}, status=201)


urlpatterns = [path("", Insert.as_view())]
application = get_wsgi_application()
