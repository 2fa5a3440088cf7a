"""Dates and times as browsers ask for them, with the zone beside them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from raffles.web.fields import FIRST_YEAR, LAST_YEAR, NO_SUCH_MOMENT
from raffles.web.formats import SECOND, shown


class DayInput(forms.DateInput):
    """A date; Django's own offers *Today* by the clock of the browser."""

    def __init__(self) -> None:
        super().__init__({"type": "date"}, format="%Y-%m-%d")


class TimeInput(forms.TimeInput):
    """A time of day; Django's own offers *Now* by the clock of the browser."""

    def __init__(self) -> None:
        super().__init__({"type": "time"}, format="%H:%M:%S")


class MomentInput(forms.SplitDateTimeWidget):
    """A date and a time on the clocks of the zone that is written beside them."""

    def __init__(self) -> None:
        forms.MultiWidget.__init__(self, (DayInput(), TimeInput()))

    def render(self, name: str, value: Any, *args: Any, **kwargs: Any) -> SafeString:
        """Return the two, and the zone in which they are read, with UTC in its tooltip."""
        both, zone = super().render(name, value, *args, **kwargs), timezone.get_current_timezone()
        utc = ""
        if isinstance(value, datetime):  # on the clocks of the page, and naive
            utc = shown(timezone.make_aware(value) if timezone.is_naive(value) else value, SECOND)
        return format_html('{} <span class="zone" title="{}">{}</span>', both, utc, zone)


class MomentField(forms.SplitDateTimeField):
    """A moment in a form, of the years that `read_moment` reads."""

    widget = MomentInput

    def compress(self, data_list: Any) -> datetime | None:
        moment: datetime | None = super().compress(data_list)
        if moment and not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise ValidationError(_(NO_SUCH_MOMENT))
        return moment


IN_FORMS: dict[type[models.Field[Any, Any]], dict[str, Any]] = {
    models.DateField: {"widget": DayInput},
    models.TimeField: {"widget": TimeInput},
    models.DateTimeField: {"form_class": MomentField, "widget": MomentInput},
}
