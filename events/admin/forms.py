"""Forms of events and their rewards, with the same rules as the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.forms.models import BaseInlineFormSet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from events.admin.frequency import CHOICE, FrequencyForm
from events.domain.refusals import DatesLeft, RewardTooLarge
from events.domain.rewards import preview_rewards
from events.domain.scheduling import Unfit, refuse_unfit
from events.domain.settling import empty_dates
from events.models import Event, Reward
from events.schedule import local
from raffles.admin.rules_field import RulesField
from raffles.domain.rules import text_of
from raffles.models.raffle import HOLDER_TERMS
from raffles.web.fields import PictureAddressField, ReadableField
from raffles.web.zones import zones

SCHEDULE = ("start_date", "draw_time", "time_zone", "frequency", "until", "max_participants")
REWARD = ("reward_name", "reward_amount", "reward_description", "reward_picture")
RULES = ("entry", "one_per_address", *HOLDER_TERMS, "privacy", "rest_days")
MAX_SHOWN = 60  # rewards by date beside an event
_NAMED = 5
CLAIM = ("claim_days", "claim_place", "promotes_alternates")


REWARD_FIELDS: dict[str, type[forms.Field]] = {
    "reward_name": ReadableField,
    "reward_description": ReadableField,
    "reward_picture": PictureAddressField,
}


class EventForm(FrequencyForm):
    """An event, with the same rules as in the API."""

    rules = RulesField()

    time_zone = forms.ChoiceField(
        label=_("Time zone"), choices=lambda: [(zone, zone) for zone in sorted(zones())]
    )
    paused = forms.BooleanField(
        required=False,
        label=_("paused at first"),
        help_text=_("No date comes until it is resumed."),
    )

    class Meta:
        model = Event
        fields = ("name", "slug", *SCHEDULE, *REWARD, *RULES, *CLAIM)
        labels = {"reward_name": _("Default reward"), "claim_days": _("Claim within (days)")}
        field_classes = REWARD_FIELDS | {
            "name": ReadableField,
            "promotes_alternates": forms.BooleanField,
        }
        widgets = {
            "promotes_alternates": forms.CheckboxInput,
            "frequency": forms.TextInput({"list": "frequencies", "class": "vTextField"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["rules"] = text_of(self.instance.rules_hash or "")
        self.fields["time_zone"].initial = settings.RAFFLE_ZONE
        if self.instance.pk:
            del self.fields["paused"]  # an existing event is paused on a page of its own
        else:
            today = local(timezone.now(), settings.RAFFLE_ZONE).date()
            self.initial = {"start_date": today, **self.initial}

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # fills the instance
        if self.errors:
            return
        try:
            refuse_unfit(self.instance, timezone.now())
        except Unfit as unfit:
            for field, sentence in unfit.errors.items():
                self.add_error(field, sentence)
        if self.instance.pk:
            self._refuse_left_dates()
        if self.instance.pk and "max_participants" in self.changed_data:
            self._refuse_larger_rewards()

    def _refuse_left_dates(self) -> None:
        """To change an event settles its past by the old schedule."""
        try:
            empty_dates(Event.objects.get(pk=self.instance.pk), timezone.now())
        except DatesLeft as left:
            self.add_error(None, str(left))

    def _refuse_larger_rewards(self) -> None:
        larger = self.instance.rewards.filter(reward_amount__gt=self.instance.max_participants)
        if dates := [str(reward.date) for reward in larger[:_NAMED]]:
            self.add_error(
                "max_participants",
                _("%(refusal)s; larger are the rewards of %(dates)s.")
                % {"refusal": RewardTooLarge(), "dates": ", ".join(dates)},
            )

    def schedule_faults(self) -> list[str]:
        """Return what prevents a preview of the next dates; errors in other fields do not."""
        needed = [name for name in (*SCHEDULE, *CHOICE, *REWARD) if name in self.errors]
        missing = [str(self[name].label) for name in needed if self.has_error(name, "required")]
        faults = [f"{self[name].label}: {' '.join(map(str, self.errors[name]))}" for name in needed]
        if missing:
            said = _("The next dates are shown once these are filled in: %(fields)s.")
            return [said % {"fields": ", ".join(missing)}]
        if faults:
            return faults
        now = timezone.now()
        self.instance.settled_until = self.instance.settled_until or now
        try:
            refuse_unfit(self.instance, now)
        except Unfit as unfit:
            return list(unfit.errors.values())
        return []


def _has_schedule(event: Event) -> bool:
    """Return whether an event that a form was read into, rightly or not, has dates at all."""
    others = {field.name for field in event._meta.fields} - {*SCHEDULE, "reward_amount"}
    try:
        event.clean_fields(exclude=others)
        refuse_unfit(event, timezone.now())
    except (ValidationError, Unfit):
        return False
    return True


class RewardForm(forms.ModelForm):
    """The reward of a date."""

    class Meta:
        model = Reward
        fields = ("date", *REWARD)
        field_classes = REWARD_FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Another date is another reward, which can be added and this one deleted.
        if "date" in self.fields and self.instance.pk is not None:
            self.fields["date"].disabled = True


class RewardFormSet(BaseInlineFormSet):
    """All rewards of an event: on coming dates, and no larger than the event."""

    def get_queryset(self) -> Any:
        # Django accepts a thousand fields in a form: the rest is edited in the list of rewards.
        if not hasattr(self, "_first"):
            self._first = list(super().get_queryset()[:MAX_SHOWN])
        return self._first

    def clean(self) -> None:
        super().clean()
        if not _has_schedule(self.instance):
            return  # the event has errors of its own, beside its fields
        changed = {form.cleaned_data["date"]: form for form in self._kept() if form.has_changed()}
        wanted = {day: form.instance.reward() for day, form in changed.items()}
        for change in preview_rewards(self.instance, wanted, now=timezone.now()):
            if change.fault:
                changed[change.day].add_error(None, change.fault)

    def preview(self, stored: Mapping[date, Reward]) -> dict[date, Reward]:
        """Return the rewards by date as if these were saved over the `stored` ones."""
        self.is_valid()
        rewards = dict(stored)
        for form in self.initial_forms:
            rewards.pop(form.instance.date, None)
        return rewards | {form.cleaned_data["date"]: form.instance for form in self._kept()}

    def _kept(self) -> list[Any]:
        """Return the forms that set a date's reward, whether or not it is allowed."""
        return [
            form
            for form in self.forms
            if not set(form.errors) - {NON_FIELD_ERRORS} and form.cleaned_data.get("date")
            if not form.cleaned_data.get("DELETE")
        ]
