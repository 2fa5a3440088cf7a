"""Forms of events and their rewards, checked by the rules of the API."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.utils import timezone

from events.domain.refusals import RewardTooLarge
from events.domain.scheduling import Unfit, refuse_unfit, refuse_unless_coming
from events.models import Event, Reward
from raffles.domain.refusals import Refusal
from rafflesite.fields import text_fault

SCHEDULE = ("start_date", "draw_time", "time_zone", "frequency", "until", "max_participants")
REWARD = ("reward_name", "reward_amount", "reward_description", "reward_picture")
RULES = ("entry", "one_per_address", "privacy", "rest_days")
CLAIM = ("claim_days", "claim_place", "promotes_alternates")


def readable(text: str) -> str:
    """The text, if people can read it."""
    if text and (fault := text_fault(text)):
        raise ValidationError(fault)
    return text


class PictureField(forms.URLField):
    """A picture's address; without a scheme it is https."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"assume_scheme": "https"})


class EventForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    """An event, checked by the rules of the API."""

    time_zone = forms.ChoiceField(
        choices=lambda: [(zone, zone) for zone in sorted(available_timezones())]
    )
    paused = forms.BooleanField(
        required=False, help_text="No date comes until this is taken away; tickets stay valid."
    )

    class Meta:
        model = Event
        fields = ("name", "slug", *SCHEDULE, *REWARD, *RULES, *CLAIM)
        labels = {"reward_name": "Default reward"}
        field_classes = {"reward_picture": PictureField, "promotes_alternates": forms.BooleanField}
        widgets = {"promotes_alternates": forms.CheckboxInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["paused"].initial = self.instance.paused_at is not None
        self.fields["time_zone"].initial = "UTC"

    def clean_name(self) -> str:
        return readable(self.cleaned_data["name"])

    def clean_reward_name(self) -> str:
        return readable(self.cleaned_data["reward_name"])

    def clean_reward_description(self) -> str:
        return readable(self.cleaned_data["reward_description"])

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # fills the instance
        if self.errors:
            return
        try:
            refuse_unfit(self.instance, timezone.now())
        except Unfit as unfit:
            for field, sentence in unfit.errors.items():
                self.add_error(field, sentence)


class RewardForm(forms.ModelForm):  # type: ignore[type-arg]
    """The reward of a date."""

    class Meta:
        model = Reward
        fields = ("date", *REWARD)
        field_classes = {"reward_picture": PictureField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Another date is another reward: this one can be deleted.
        self.fields["date"].disabled = self.instance.pk is not None

    def clean_reward_name(self) -> str:
        return readable(self.cleaned_data["reward_name"])

    def clean_reward_description(self) -> str:
        return readable(self.cleaned_data["reward_description"])


class RewardFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """The rewards together: on dates that come, and no larger than the event."""

    def clean(self) -> None:
        super().clean()
        if not self.instance.draw_time or not self.instance.time_zone:
            return  # the event has errors of its own
        for form in self.forms:
            if form.has_changed() and form.is_valid() and not form.cleaned_data.get("DELETE"):
                self._check(form)

    def _check(self, form: Any) -> None:
        day, amount = form.cleaned_data["date"], form.cleaned_data["reward_amount"]
        try:
            refuse_unless_coming(self.instance, day, timezone.now())
            if amount > (self.instance.max_participants or 0):
                raise RewardTooLarge
        except Refusal as refusal:
            form.add_error(None, str(refusal))
