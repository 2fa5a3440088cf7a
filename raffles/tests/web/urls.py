"""The site, and a few views that do nothing but use what is tested."""

from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from raffles.web.callers import ManagerOnly, ManagerOrReadOnly, require_holder
from raffles.web.fields import StrictIntegerField, StrictSerializer, VisibleTextField
from raffles.web.lists import LinkCursorPagination
from raffles.web.throttles import EntryThrottle, VerifyThrottle
from rafflesite import urls
from rafflesite.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


class PartShape(StrictSerializer):
    amount = StrictIntegerField(min_value=1)


class BodyShape(StrictSerializer):
    name = VisibleTextField(required=False)
    username = VisibleTextField(required=False, trim_whitespace=False, max_length=5)
    number = StrictIntegerField(required=False)
    parts = PartShape(many=True, required=False)

    def validate_parts(self, parts: list[Any]) -> list[Any]:
        return parts

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("name") == "refused":
            raise serializers.ValidationError("Not this one")
        return attrs


class EchoView(APIView):
    """Answer what was understood."""

    def post(self, request: Request) -> Response:
        body = BodyShape(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(body.validated_data)


class GroupShape(serializers.ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ["name"]


class GroupsView(generics.ListAPIView[Group]):
    pagination_class = LinkCursorPagination
    queryset = Group.objects.all()
    serializer_class = GroupShape
    filter_backends = []


class EnteringView(APIView):
    throttle_classes: list[type[BaseThrottle]] = [EntryThrottle]

    def post(self, request: Request) -> Response:
        return Response({"holder": require_holder(request)})


class VerifyingView(EnteringView):
    throttle_classes = [VerifyThrottle]


class ManagedView(APIView):
    permission_classes = [ManagerOnly]

    def get(self, request: Request) -> Response:
        return Response({})

    def post(self, request: Request) -> Response:
        return Response({})


class ReadableView(ManagedView):
    permission_classes = [ManagerOrReadOnly]


class QueryView(APIView):
    """Need the database."""

    def get(self, request: Request) -> Response:
        return Response(query())


def query() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        (one,) = cursor.fetchone()
    return int(one)


def query_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(query())


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret 203.0.113.9")


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied("Not here.")


urlpatterns = [
    path("echo/", EchoView.as_view()),
    path("groups/", GroupsView.as_view()),
    path("entering/", EnteringView.as_view()),
    path("verifying/", VerifyingView.as_view()),
    path("managed/", ManagedView.as_view()),
    path("readable/", ReadableView.as_view()),
    path("query/", QueryView.as_view()),
    path("query-page/", query_page),
    path("broken/", broken),
    path("forbidden/", forbidden),
    *urls.urlpatterns,
]
