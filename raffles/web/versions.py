"""Versions of what can be changed: an `ETag` on reading, and `If-Match` on writing.

A tag is a version, a point, and a hash of the whole answer: an answer can become another one while
what can be changed stays as it was (somebody took part), and that spoils nobody's change. Proxies
that compress mark a tag as weak, or add to its end; the version stays exact.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

_LENGTH: Final = 16  # characters of a hash
_ANY: Final = "*"
IF_MATCH: Final = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` that reading it gave: 412 if somebody has changed it since. "
    "Without it, whoever writes last wins.",
)


def version_of(values: Mapping[str, Any]) -> str:
    """Return the version of a row with these values: 16 hex digits."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def tagged(response: Response, version: str) -> Response:
    """Give an answer about a row of this version its ETag, as soon as it is written."""

    def tag(written: Any) -> None:
        whole = hashlib.sha256(written.content).hexdigest()[:_LENGTH]
        written["ETag"] = f'"{version}.{whole}"'

    response.add_post_render_callback(tag)
    return response


def seen_versions(request: Request) -> frozenset[str] | None:
    """Return the versions of which one must be there for a change; None for any.

    Raises ValidationError for an `If-Match` that is no list of tags.
    """
    header: str | None = request.META.get("HTTP_IF_MATCH")
    if header is None:
        return None
    tags = parse_etags(header)
    if not tags:
        raise ValidationError({"If-Match": ["Write the ETag as you got it, in its quotes."]})
    return frozenset(tag.removeprefix("W/").strip('"').partition(".")[0] for tag in tags)


def fits(version: str | None, seen: frozenset[str] | None) -> bool:
    """Return whether a change may go on; ``version`` None stands for a row that is not there."""
    if seen is None:
        return True
    return version is not None and (_ANY in seen or version in seen)
