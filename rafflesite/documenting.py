"""What the schema says of our strict fields and serializers; registered by being imported."""

from typing import Any

from drf_spectacular.extensions import (
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema


class VisibleTextExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Text that people can read is not empty."""

    target_class = "rafflesite.fields.VisibleTextField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        # Its own extensions call it like this.
        mapped = auto_schema._map_serializer_field(  # type: ignore[no-untyped-call]  # noqa: SLF001
            self.target, direction, bypass_extensions=True
        )
        return mapped if self.target.allow_blank else {**mapped, "minLength": 1}


class StrictExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Keys that are not known are refused."""

    target_class = "rafflesite.fields.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        mapped = auto_schema._map_serializer(  # type: ignore[no-untyped-call]  # noqa: SLF001
            self.target, direction, bypass_extensions=True
        )
        return {**mapped, "additionalProperties": False}
