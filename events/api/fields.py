"""Fields of the calendar: days and times of day as JSON strings, and names of users."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, time
from typing import Any

from rest_framework import serializers

from events.models.event import RESERVED
from raffles.web.fields import VisibleTextField

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?", re.ASCII)


class DayField(serializers.DateField):
    """A date in JSON: 2030-01-31, and no other format."""

    default_error_messages = {
        "invalid": "Write a date such as 2030-01-31.",
        "none": "There is no such day.",
    }

    def to_internal_value(self, value: Any) -> date:
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            self.fail("invalid")
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail("none")


class TimeOfDayField(serializers.TimeField):
    """A local time of day: 08:00 or 08:00:30."""

    default_error_messages = {
        "invalid": "Write a time such as 08:00.",
        "none": "There is no such time of day.",
    }

    def to_internal_value(self, value: Any) -> time:
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            self.fail("invalid")
        try:
            return time.fromisoformat(value)
        except ValueError:
            self.fail("none")

    def to_representation(self, value: time) -> str:
        return value.isoformat("seconds" if value.second else "minutes")


class LocalMomentField(serializers.DateTimeField):
    """An instant with the offset of its own time zone, which the answer keeps."""

    def enforce_timezone(self, value: datetime) -> datetime:
        return value


class UsernameField(VisibleTextField):
    """The name of a user: 1 to 150 visible characters, compared without regard to case."""

    default_error_messages = {"reserved": "This word is taken by the site."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=150, trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        username = super().to_internal_value(data)
        if unicodedata.normalize("NFKC", username).casefold() in RESERVED:
            self.fail("reserved")
        return username
