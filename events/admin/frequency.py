"""How often an event draws, as a choice: a form's fields for the rule that is stored as text."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

DAYS: Final = (
    ("MO", _("Monday")),
    ("TU", _("Tuesday")),
    ("WE", _("Wednesday")),
    ("TH", _("Thursday")),
    ("FR", _("Friday")),
    ("SA", _("Saturday")),
    ("SU", _("Sunday")),
)
OWN: Final = "own"
KINDS: Final = (
    ("daily", _("Every day")),
    ("workdays", _("Monday to Friday")),
    ("weekdays", _("On these weekdays")),
    ("last", _("On the last such weekday of each month")),
    (OWN, _("By a rule of your own")),
)
CHOICE: Final = ("how_often", "weekdays", "last_weekday")  # fields besides the rule itself

_CODES = [code for code, _name in DAYS]
_WORKDAYS = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
_WEEKDAYS = re.compile("FREQ=WEEKLY;BYDAY=([A-Z]{2}(?:,[A-Z]{2})*)")
_LAST = re.compile("FREQ=MONTHLY;BYDAY=-1([A-Z]{2})")


def choice_of(rule: str) -> dict[str, Any]:
    """Return the values of CHOICE that `rule_of` turns into this very text."""
    if rule == "daily":
        return {"how_often": "daily"}
    if rule == _WORKDAYS:
        return {"how_often": "workdays"}
    if found := _WEEKDAYS.fullmatch(rule):
        days = found[1].split(",")
        if days == [code for code in _CODES if code in days]:
            return {"how_often": "weekdays", "weekdays": days}
    if (found := _LAST.fullmatch(rule)) and found[1] in _CODES:
        return {"how_often": "last", "last_weekday": found[1]}
    return {"how_often": OWN}


def rule_of(how_often: str, weekdays: list[str], last_weekday: str) -> str:
    """Return the rule of a choice other than OWN."""
    if how_often == "weekdays":
        return f"FREQ=WEEKLY;BYDAY={','.join(code for code in _CODES if code in weekdays)}"
    if how_often == "last":
        return f"FREQ=MONTHLY;BYDAY=-1{last_weekday}"
    return _WORKDAYS if how_often == "workdays" else "daily"


class FrequencyForm(forms.ModelForm):
    """A form whose field `frequency` is chosen by CHOICE; without a choice the rule counts."""

    how_often = forms.ChoiceField(label=_("How often"), choices=KINDS, required=False)
    weekdays = forms.MultipleChoiceField(
        choices=DAYS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=_("These weekdays"),
    )
    last_weekday = forms.ChoiceField(
        choices=DAYS, required=False, initial="FR", label=_("The last of each month")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rule = self.instance.frequency
        self.initial = {"frequency": rule, **choice_of(rule), **self.initial}
        if "frequency" in self.fields:
            self.fields["frequency"].required = False  # only for a rule of one's own
            self.fields["frequency"].label = _("Own rule")

    def clean(self) -> dict[str, Any]:
        """Turn the choice into the rule, and refuse a rule that would count for nothing."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        how_often = cleaned.get("how_often") or OWN
        if {"frequency", *CHOICE} & self.errors.keys() or "frequency" not in self.fields:
            return cleaned
        if how_often == OWN and not cleaned["frequency"]:
            self.add_error("frequency", forms.ValidationError(_("Write a rule."), "required"))
        elif how_often == "weekdays" and not cleaned["weekdays"]:
            self.add_error("weekdays", forms.ValidationError(_("Tick a weekday."), "required"))
        elif how_often == "last" and not cleaned["last_weekday"]:
            self.add_error("last_weekday", forms.ValidationError(_("Choose one."), "required"))
        elif how_often != OWN and cleaned["frequency"] not in ("", self.initial["frequency"]):
            self.add_error(
                "frequency",
                _("For this to count, choose “%(choice)s” above; or put it back.")
                % {"choice": dict(KINDS)[OWN]},
            )
        elif how_often != OWN:
            cleaned["frequency"] = rule_of(how_often, cleaned["weekdays"], cleaned["last_weekday"])
        return cleaned

    def changes(self) -> dict[str, Any]:
        """Return the changed values of the model's fields, the rule as it was chosen."""
        names = [name for name in self.changed_data if name not in {*CHOICE, "frequency"}]
        changed = {name: self.cleaned_data[name] for name in names}
        if self.cleaned_data["frequency"] != self.initial["frequency"]:
            changed["frequency"] = self.cleaned_data["frequency"]
        return changed
