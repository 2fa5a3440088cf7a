"""The back office of events: scheduling them and their rewards, and keys for partners."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from events.domain.calendar import ComingDraw, coming_draws
from events.domain.partners import make_key
from events.domain.refusals import RewardTooLarge
from events.domain.scheduling import (
    Unfit,
    edit_event,
    refuse_unfit,
    refuse_unless_coming,
    remove_reward,
    schedule_event,
    set_reward,
)
from events.models import ApiKey, Event, Occurrence, Reward, Setback
from raffles.domain.refusals import Refusal
from rafflesite.environment import rate
from rafflesite.fields import text_fault
from rafflesite.records import ReadOnly, staff

_SCHEDULE = ("start_date", "draw_time", "time_zone", "frequency", "until", "max_participants")
_REWARD = ("reward_name", "reward_amount", "reward_description", "reward_picture")
_RULES = ("entry", "one_per_address", "privacy", "rest_days")
_CLAIM = ("claim_days", "claim_place", "promotes_alternates")
_PREVIEWED = 10


def _readable(text: str) -> str:
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
        fields = ("name", "slug", *_SCHEDULE, *_REWARD, *_RULES, *_CLAIM)
        labels = {"reward_name": "Default reward"}
        field_classes = {"reward_picture": PictureField, "promotes_alternates": forms.BooleanField}
        widgets = {"promotes_alternates": forms.CheckboxInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["paused"].initial = self.instance.paused_at is not None
        self.fields["time_zone"].initial = "UTC"

    def clean_name(self) -> str:
        return _readable(self.cleaned_data["name"])

    def clean_reward_name(self) -> str:
        return _readable(self.cleaned_data["reward_name"])

    def clean_reward_description(self) -> str:
        return _readable(self.cleaned_data["reward_description"])

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
        fields = ("date", *_REWARD)
        field_classes = {"reward_picture": PictureField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Another date is another reward: this one can be deleted.
        self.fields["date"].disabled = self.instance.pk is not None

    def clean_reward_name(self) -> str:
        return _readable(self.cleaned_data["reward_name"])

    def clean_reward_description(self) -> str:
        return _readable(self.cleaned_data["reward_description"])


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


class RewardInline(admin.TabularInline):  # type: ignore[type-arg]
    """The dates that have a reward of their own; those that are fixed are in the preview."""

    model = Reward
    form = RewardForm
    formset = RewardFormSet
    extra = 1

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reward]:
        rewards: QuerySet[Reward] = super().get_queryset(request)
        same_date = Occurrence.objects.filter(event=OuterRef("event"), date=OuterRef("date"))
        return rewards.filter(~Exists(same_date), date__gte=timezone.now().date())


@admin.register(Event)
class EventAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Events: their dates follow the form, except those that have tickets."""

    form = EventForm
    inlines = (RewardInline,)
    list_display = ("name", "frequency", "draw_time", "time_zone", "next_draw", "is_running")
    list_filter = ("entry", "frequency")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("preview",)
    fieldsets = (
        (None, {"fields": ("name", "slug")}),
        ("When", {"fields": (*_SCHEDULE, "paused", "preview")}),
        ("Default reward, for dates without one of their own", {"fields": _REWARD}),
        ("Who", {"fields": _RULES}),
        ("Claiming a prize", {"fields": _CLAIM}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        events: QuerySet[Event] = super().get_queryset(request)
        return events.order_by("-id")

    def get_readonly_fields(self, _request: HttpRequest, obj: Event | None = None) -> list[str]:
        return ["preview", "slug"] if obj else ["preview"]

    def get_prepopulated_fields(
        self, _request: HttpRequest, obj: Event | None = None
    ) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    @admin.display(description="next draw")
    def next_draw(self, event: Event) -> str:
        """When, and with which reward."""
        draws = coming_draws([event], now=timezone.now(), each=1)
        return f"{_shown(draws[0])}: {draws[0].reward.reward_name}" if draws else "—"

    @admin.display(description="running", boolean=True)
    def is_running(self, event: Event) -> bool:
        """Whether it is not paused."""
        return event.paused_at is None

    @admin.display(description="next dates")
    def preview(self, event: Event) -> SafeString | str:
        """The next dates on the clocks of the event's zone, each with its reward."""
        if not event.pk:
            return "Shown once the event is saved."
        draws = coming_draws([event], now=timezone.now(), each=_PREVIEWED)
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{} × {}{}</td><td>{} of {}</td></tr>",
            (
                (
                    _shown(draw),
                    draw.reward.reward_amount,
                    draw.reward.reward_name,
                    " (default)" if draw.is_default() else "",
                    draw.participants(),
                    draw.max_participants,
                )
                for draw in draws
            ),
        )
        skips = event.schedule().skips()
        note = "Months without this day are skipped." if skips else ""
        head = SafeString("<tr><th>Draw</th><th>Reward</th><th>Participants</th></tr>")
        return format_html("<table>{}{}</table>{}", head, rows, note) if draws else "None."

    def has_delete_permission(self, request: HttpRequest, obj: Event | None = None) -> bool:
        is_used = obj is not None and obj.occurrences.exists()
        return not is_used and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Deleting in bulk would try events that have draws.
        actions = super().get_actions(request)
        return {name: action for name, action in actions.items() if name != "delete_selected"}

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refusal as refusal:  # somebody took a ticket while the form was open
            messages.error(request, str(refusal))
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Event, form: Any, change: bool) -> None:
        now, by = timezone.now(), staff(request)
        if not change:
            obj.paused_at = now if form.cleaned_data["paused"] else None
            schedule_event(obj, now=now, by=by)
            return
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        event, kept = edit_event(obj.pk, changes, now=now, by=by)
        obj.__dict__.update(event.__dict__)
        if changes and kept:
            dates = ", ".join(str(row.date) for row in kept)
            messages.info(request, f"Dates with tickets are drawn as they stood: {dates}.")

    def save_formset(self, request: Any, form: Any, formset: Any, change: bool) -> None:  # noqa: ARG002
        now, by = timezone.now(), staff(request)
        rewards = formset.save(commit=False)
        for reward in formset.deleted_objects:
            remove_reward(form.instance.pk, reward.date, now=now, by=by)
        for reward in rewards:
            set_reward(form.instance.pk, reward.date, reward.reward(), now=now, by=by)


def _shown(draw: ComingDraw) -> str:
    return f"{draw.local():%a %Y-%m-%d %H:%M %Z (UTC%z)}"


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A key's terms."""

    class Meta:
        model = ApiKey
        fields = ("name", "rate", "expires_at")

    def clean_name(self) -> str:
        return _readable(self.cleaned_data["name"])

    def clean_rate(self) -> str:
        text: str = self.cleaned_data["rate"]
        try:
            rate(text)
        except ImproperlyConfigured as fault:
            raise ValidationError(str(fault)) from fault
        return text


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Keys of partners; the text is shown once, when the key is made."""

    form = ApiKeyForm
    list_display = ("name", "hint", "rate", "expires_at", "last_used_at")
    readonly_fields = ("hint", "last_used_at", "created_at", "created_by")

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        text = make_key(obj, now=timezone.now(), by=staff(request))
        messages.warning(request, f"Write this key down, it is not shown again: {text}")


@admin.register(Occurrence)
class OccurrenceAdmin(ReadOnly):
    """Dates that have tickets, or that nobody came to."""

    list_display = ("event", "date", "draw_at", "reward_name", "raffle")
    list_filter = ("event",)
    list_select_related = ("event", "raffle")
    date_hierarchy = "date"


@admin.register(Setback)
class SetbackAdmin(ReadOnly):
    """What failed and is tried again."""

    list_display = ("__str__", "raffle", "event", "attempts", "failed_at", "next_try_at")
    list_select_related = ("event", "raffle")
