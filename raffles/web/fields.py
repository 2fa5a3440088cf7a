"""Strict fields of requests: each takes its own type and nothing that merely resembles it."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from itertools import combinations
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from drf_spectacular.extensions import (
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from raffles.web.joining import ZWJ, ZWNJ, is_joiner_wanted

MOMENT_FAULT = "Write the time with its offset, such as 2030-01-31T08:00Z."
# Terms count the seconds since the first; behind the last is room for whatever is added to a time:
# the offset of a zone, the whole years that a calendar tells around it.
FIRST_YEAR, LAST_YEAR = 1970, 9000
NO_SUCH_MOMENT = gettext_noop("There is no such time, in UTC, in the years 1970 to 9000.")
_MOMENT = re.compile(
    r"[0-9]+-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?"
    r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)",
    re.ASCII,
)
_BIGINT = 2**63
_FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_GRAPHEME_JOINER = "\u034f"  # a mark by category, seen nowhere
# Letters and symbols by category, blank on every screen: Hangul fillers and the empty Braille.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def text_fault(text: str) -> str | None:
    """Return a sentence on why `text` is unfit to be shown as a name; None if it is fit.

    Unfit are control, bidirectional, zero-width and other format characters, line separators,
    noncharacters (and what XML cannot hold), and texts without any visible character.
    Joiners are allowed where they change how the text reads.
    """
    if _GRAPHEME_JOINER in text or not text.isprintable():
        for at, sign in enumerate(text):
            if _is_forbidden(sign) and not (sign in (ZWJ, ZWNJ) and is_joiner_wanted(text, at)):
                return _("Control, bidirectional and zero-width characters are not allowed.")
    if not any(unicodedata.category(sign)[0] in "LNPS" and sign not in _BLANK for sign in text):
        return _("At least one visible character is needed.")
    return None


def _is_forbidden(sign: str) -> bool:
    code = ord(sign)
    is_no_character = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return is_no_character or sign == _GRAPHEME_JOINER or unicodedata.category(sign) in _FORBIDDEN


def read_moment(text: str) -> datetime:
    """Return the instant that ISO 8601 text names, in UTC.

    Raises ValueError, with a sentence, for any other text, for a time without an offset, and for
    one that is in no calendar, or in UTC not from `FIRST_YEAR` to `LAST_YEAR`.
    """
    try:
        moment = datetime.fromisoformat(text)
        is_moment = moment.tzinfo is not None
        if is_moment and FIRST_YEAR <= (moment := moment.astimezone(UTC)).year <= LAST_YEAR:
            return moment
    except (ValueError, OverflowError):
        is_moment = _MOMENT.fullmatch(text) is not None
    raise ValueError(NO_SUCH_MOMENT if is_moment else MOMENT_FAULT)


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer: no string, boolean, fraction or exponent, within 64 bits."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", -_BIGINT)
        kwargs.setdefault("max_value", _BIGINT - 1)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:  # a boolean is an int to isinstance
            self.fail("invalid")
        return int(data)


class StrictBooleanField(serializers.BooleanField):
    """A JSON boolean: no string and no number. In an answer, an empty value is false."""

    def get_attribute(self, instance: Any) -> bool:
        return bool(super().get_attribute(instance))

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class MomentField(serializers.DateTimeField):
    """An instant with its offset; without one nobody knows which instant it is."""

    default_error_messages = {"invalid": MOMENT_FAULT}

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str):
            self.fail("invalid")
        try:
            return read_moment(value)
        except ValueError as fault:
            raise serializers.ValidationError([str(fault)]) from None


class VisibleTextField(serializers.CharField):
    """A JSON string that people can read (see `text_fault`), 200 characters unless said.

    Outer whitespace is dropped, as DRF does, and the answer shows what was kept. With
    `trim_whitespace=False` it is refused instead: for names that are compared.
    """

    default_error_messages = {"outer_space": "Spaces around it are not allowed."}

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 200)
        super().__init__(**kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        # Before CharField trims: a line break at the end is refused like one in the middle.
        if isinstance(data, str) and data and (fault := text_fault(data)):
            raise serializers.ValidationError([fault])
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if not self.trim_whitespace and data != data.strip():
            self.fail("outer_space")
        return str(super().to_internal_value(data))


class PictureField(serializers.CharField):
    """The address of a picture; empty for none."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs |= {"max_length": 500, "allow_blank": True, "default": ""}
        super().__init__(validators=[URLValidator(["https", "http"])], **kwargs)


class CodeField(serializers.CharField):
    """A JSON string with a code as people type or paste it; `fairness` decides what it means."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 200)
        super().__init__(allow_blank=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses unknown keys: a misspelt option must not be ignored.

    Of the `alternatives` it takes one at most.
    """

    alternatives: ClassVar[tuple[str, ...]] = ()

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            known = {field.field_name for field in self._writable_fields}
            if unknown := [key for key in data if key not in known]:
                raise serializers.ValidationError({key: ["Unknown field."] for key in unknown})
            given = [key for key in data if key in self.alternatives]
            if len(given) > 1:
                fault = "At most 1 of these."
                raise serializers.ValidationError({key: [fault] for key in given})
        return super().to_internal_value(data)


class VisibleTextExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Describe visible text as not empty."""

    target_class = "raffles.web.fields.VisibleTextField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        # Its own extensions call it like this.
        mapped = auto_schema._map_serializer_field(  # type: ignore[no-untyped-call]  # noqa: SLF001
            self.target, direction, bypass_extensions=True
        )
        return mapped if self.target.allow_blank else {**mapped, "minLength": 1}


class StrictExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Describe unknown keys as refused."""

    target_class = "raffles.web.fields.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        mapped = auto_schema._map_serializer(  # type: ignore[no-untyped-call]  # noqa: SLF001
            self.target, direction, bypass_extensions=True
        )
        pairs = [{"required": [*pair]} for pair in combinations(self.target.alternatives, 2)]
        one = {"not": {"anyOf": pairs}} if pairs else {}
        return {**mapped, "additionalProperties": False, **one}


def _validate_readable(text: str) -> None:
    if fault := text_fault(text):
        raise ValidationError(fault)


class ReadableField(forms.CharField):
    """Text in a form that people can read (see `text_fault`)."""

    default_validators = [_validate_readable]


class PictureAddressField(forms.URLField):
    """A picture's address in a form; the default scheme is https."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"assume_scheme": "https"})
