"""Filters of lists that refuse what they cannot read; Django's take it for no filter at all."""

from datetime import datetime
from typing import Any

import django_filters
from django import forms
from django_filters.fields import ChoiceField

from rafflesite.fields import MOMENT_FAULT, read_moment


class _FlagField(forms.Field):
    def to_python(self, value: Any) -> bool | None:
        if value not in (None, "true", "false"):
            raise forms.ValidationError("Write true or false.")
        return None if value is None else value == "true"


class _MomentField(forms.Field):
    def to_python(self, value: Any) -> datetime | None:
        try:
            return None if value is None else read_moment(value)
        except ValueError:
            raise forms.ValidationError(MOMENT_FAULT) from None


class _NotEmpty(forms.Field):
    def to_python(self, value: Any) -> Any:
        if value == "":
            raise forms.ValidationError("Write a value, or leave it out.")
        return super().to_python(value)


class _TextField(_NotEmpty, forms.CharField):
    pass


class _WordField(_NotEmpty, ChoiceField):
    pass


class TextFilter(django_filters.CharFilter):
    """Text that is not empty."""

    field_class = _TextField


class WordFilter(django_filters.ChoiceFilter):
    """One of the words in `choices`."""

    field_class = _WordField


class FlagFilter(django_filters.BooleanFilter):
    """`true` or `false`."""

    field_class = _FlagField  # type: ignore[assignment]  # not the lenient one


class MomentFilter(django_filters.IsoDateTimeFilter):
    """An instant with its offset."""

    field_class = _MomentField  # type: ignore[assignment]  # not the lenient one
