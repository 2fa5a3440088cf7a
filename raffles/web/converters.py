"""Ids in URLs."""

from __future__ import annotations

from typing import Final

from django.urls import register_converter
from django.urls.converters import UUIDConverter


class AnyCaseUUIDConverter(UUIDConverter):
    """A UUID, also in capitals, as RFC 9562 requires it to be read."""

    regex = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"


register_converter(AnyCaseUUIDConverter, "UUID")
RAFFLE_ID: Final = "<UUID:raffle_id>"
