"""Scheduling in the back office: events, their next dates, and the rewards of these."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from events.domain.calendar import ComingDraw, coming_draws
from events.domain.scheduling import edit_event, remove_reward, schedule_event, set_reward
from events.models import Event, Occurrence, Reward
from raffles.domain.refusals import Refusal
from rafflesite.records import staff

from .forms import CLAIM, REWARD, RULES, SCHEDULE, EventForm, RewardForm, RewardFormSet

_PREVIEWED = 10


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
        ("When", {"fields": (*SCHEDULE, "paused", "preview")}),
        ("Default reward, for dates without one of their own", {"fields": REWARD}),
        ("Who", {"fields": RULES}),
        ("Claiming a prize", {"fields": CLAIM}),
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
