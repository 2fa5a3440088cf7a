"""Scheduling in the back office: events, their next dates, and the rewards of those dates."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Exists, OuterRef, QuerySet
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from events.admin.event_actions import DUPLICATE, END, PAUSE, RESUME
from events.admin.forms import CLAIM, REWARD, RULES, SCHEDULE, EventForm, RewardForm, RewardFormSet
from events.admin.frequency import CHOICE
from events.admin.many_rewards import COPY_WEEK, IMPORT
from events.admin.poster import POSTER
from events.admin.preview import calendar_of
from events.domain.calendar import ComingDraw, coming_draws
from events.domain.rewards import coming_rewards
from events.domain.scheduling import edit_event, remove_reward, schedule_event, set_reward
from events.models import Event, Occurrence, Reward
from raffles.admin.actions import AdminPages, ViewPage
from raffles.admin.base import Beginning
from raffles.admin.exclusions import EXCLUDE_FROM
from raffles.admin.rules_field import rules_link
from raffles.admin.widgets import IN_FORMS
from raffles.domain.clock import acting_time
from raffles.domain.refusals import Refusal
from raffles.web.callers import staff
from raffles.web.formats import WEEKDAY, grouped


class RewardInline(admin.TabularInline):
    """Dates with rewards of their own; those already fixed are in the preview."""

    model = Reward
    form = RewardForm
    formset = RewardFormSet
    formfield_overrides = IN_FORMS
    extra = 1
    verbose_name_plural = _("rewards of their own for dates")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reward]:
        rewards: QuerySet[Reward] = super().get_queryset(request)
        same_date = Occurrence.objects.filter(event=OuterRef("event"), date=OuterRef("date"))
        first = (timezone.now() - timedelta(days=1)).date()
        return rewards.filter(~Exists(same_date), date__gte=first)


class EventList(ChangeList):
    """Events with their next draws, all of a page in two queries."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        events: list[Any] = list(self.result_list)
        draws = coming_draws(events, now=timezone.now(), each=1)
        following = {draw.event.pk: draw for draw in draws}
        for event in events:
            event.following = following.get(event.pk)
        self.result_list = events


class PausedFilter(admin.SimpleListFilter):
    """Events by whether they are paused."""

    title = _("pause")
    parameter_name = "paused"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("no", gettext("Running")), ("yes", gettext("Paused"))]

    def queryset(self, _request: HttpRequest, events: QuerySet[Any]) -> QuerySet[Any]:
        word = self.value()
        return events.filter(paused_at__isnull=word == "no") if word else events


class Refused(Refusal):
    """A refusal with the date concerned."""

    def __init__(self, day: date, refusal: Refusal) -> None:
        said = _("%(day)s: %(refusal)s. Nothing was saved.")
        super().__init__(said % {"day": day, "refusal": refusal})

    def __str__(self) -> str:
        return str(self.args[0])


def preview(request: HttpRequest, admin: EventAdmin, event: Event | None = None) -> HttpResponse:
    """Show the next dates according to the form; nothing is saved."""
    is_change = event is not None
    make_form = admin.get_form(request, event, change=is_change)
    form = cast("EventForm", make_form(request.POST, instance=event))
    faults = form.schedule_faults()
    context: dict[str, Any] = {"faults": faults}
    if not faults:
        rewards = coming_rewards(event, timezone.now()) if event else {}
        for make_formset, inline in admin.get_formsets_with_inlines(request, event):
            if inline.has_change_permission(request, event):
                prefix = make_formset.get_default_prefix()
                how = admin.get_formset_kwargs(request, form.instance, inline, prefix)
                rewards = make_formset(**how).preview(rewards)
        month = request.GET.get("month", "")
        context["calendar"] = calendar_of(form.instance, rewards, now=timezone.now(), month=month)
        context["preview_url"] = request.path
        # What the form held is sent again for another month.
        typed = request.POST.lists()
        context["typed"] = [row for row in typed if row[0] != "csrfmiddlewaretoken"]
    return admin.render(
        request, "admin/events/event/preview.html", gettext("Preview"), None, context
    )


@admin.register(Event)
class EventAdmin(AdminPages):
    """Events: their dates follow the form, except those that have tickets."""

    purpose = _(
        "An event draws again and again, each day or each last Friday, every date with its reward. "
        "Its dates come by themselves."
    )
    beginning = Beginning(_("Schedule an event"), "admin:events_event_add", "events.add_event")
    form = EventForm
    domain_records = frozenset({"added", "changed"})
    inlines = (RewardInline,)
    pages = (
        *(IMPORT, COPY_WEEK, PAUSE, RESUME, END, DUPLICATE, POSTER, EXCLUDE_FROM),
        ViewPage(
            name="preview",
            is_of_object=False,
            permissions=("events.add_event",),
            methods=("POST",),
            view=preview,
        ),
        ViewPage(
            name="preview_change",
            address="preview",
            permissions=("events.change_event",),
            methods=("POST",),
            view=preview,
        ),
    )
    change_form_template = "admin/events/event/change_form.html"
    list_display = ("name", "next_draw", "reward", "participants", "state", "frequency")
    list_filter = (PausedFilter, "entry")
    search_fields = ("name", "slug")
    sortable_by = ("name", "frequency")
    fieldsets = (
        (None, {"fields": ("name", "slug")}),
        (_("When"), {"fields": SCHEDULE}),
        (_("Default reward, for dates without one of their own"), {"fields": REWARD}),
        (_("Who takes part"), {"fields": (*RULES, "rules"), "classes": ("collapse",)}),
        (_("Claiming a prize"), {"fields": CLAIM, "classes": ("collapse",)}),
    )

    class Media:
        css = {"all": ("events/scheduling.css",)}
        # Among the styles of the head: it looks for a button that comes later.
        js = (Script("events/preview.js", defer=True),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        events: QuerySet[Event] = super().get_queryset(request)
        return events.order_by("-id")

    def get_changelist(self, *_args: Any, **_kwargs: Any) -> type[ChangeList]:
        return EventList

    def get_fieldsets(self, request: HttpRequest, obj: Event | None = None) -> Any:
        fieldsets: Any = super().get_fieldsets(request, obj)
        if obj is not None and not self.has_change_permission(request, obj):
            return fieldsets  # the rule alone, as it is stored
        rule = SCHEDULE.index("frequency")
        # Pausing an existing event is an action with a page of its own, which says what it does.
        at_first = () if obj else ("paused",)
        fields = (*SCHEDULE[:rule], *CHOICE, *SCHEDULE[rule:], *at_first)
        return (fieldsets[0], (_("When"), {"fields": fields}), *fieldsets[2:])

    def get_readonly_fields(self, _request: HttpRequest, obj: Event | None = None) -> list[str]:
        return ["slug"] if obj else []

    def get_prepopulated_fields(
        self, _request: HttpRequest, obj: Event | None = None
    ) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    @admin.display(description=_("next draw"))
    def next_draw(self, event: Any) -> str:
        """Show the time of the next draw in its time zone."""
        return event.following.shown(WEEKDAY) if event.following else "—"

    @admin.display(description=_("reward"))
    def reward(self, event: Any) -> str:
        """Show the reward of the next draw."""
        draw: ComingDraw | None = event.following
        if draw is None:
            return "—"
        reward = f"{draw.reward.reward_amount} × {draw.reward.reward_name}"
        return _("%(reward)s (default)") % {"reward": reward} if draw.is_default() else reward

    @admin.display(description=_("participants"))
    def participants(self, event: Any) -> str:
        """Show how many tickets of the next draw have been handed out."""
        draw: ComingDraw | None = event.following
        if draw is None:
            return "—"
        issued, total = grouped(draw.participants()), grouped(draw.max_participants)
        return _("%(issued)s of %(total)s") % {"issued": issued, "total": total}

    @admin.display(description=_("Rules"))
    def rules(self, event: Event) -> SafeString | str:
        """Show where the rules are, to those who may not change them."""
        return rules_link(event.rules_hash)

    @admin.display(description=_("state"))
    def state(self, event: Any) -> str:
        """Show whether it is running, paused or over."""
        if event.paused_at is not None:
            return _("paused since %(day)s") % {"day": f"{event.paused_at:%Y-%m-%d}"}
        return gettext("running") if event.following else gettext("over")

    def has_delete_permission(self, request: HttpRequest, obj: Event | None = None) -> bool:
        is_used = obj is not None and obj.occurrences.exists()
        return not is_used and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Deleting in bulk would include events that have draws.
        actions = super().get_actions(request)
        return {name: action for name, action in actions.items() if name != "delete_selected"}

    def render_change_form(
        self, request: Any, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        event: Event | None = context.get("original")
        if event is not None:
            if request.method == "POST":  # then `original` holds the refused values
                event = Event.objects.get(pk=event.pk)
            now = timezone.now()
            context |= {
                "calendar": calendar_of(event, coming_rewards(event, now), now=now),
                "preview_url": reverse("admin:events_event_preview_change", args=[event.pk]),
            }
        else:
            context["preview_url"] = reverse("admin:events_event_preview")
        return super().render_change_form(request, context, *args, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refusal as refusal:  # somebody took a ticket while the form was open
            messages.error(request, str(refusal))
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Event, form: Any, change: bool) -> None:
        now, by = acting_time(), staff(request)
        if not change:
            obj.paused_at = now if form.cleaned_data["paused"] else None
            schedule_event(obj, now=now, by=by, rules=form.cleaned_data["rules"])
            return
        changes = form.changes()
        event, kept = edit_event(obj.pk, changes, now=now, by=by)
        obj.__dict__.update(event.__dict__)
        if changes and kept:
            dates = ", ".join(str(row.date) for row in kept)
            said = gettext("Dates with tickets are drawn as they stood: %(dates)s.")
            messages.info(request, said % {"dates": dates})

    def save_formset(self, request: Any, form: Any, formset: Any, *_: Any, **__: Any) -> None:
        now, by = acting_time(), staff(request)
        rewards, event_pk = formset.save(commit=False), form.instance.pk
        for reward in (*formset.deleted_objects, *rewards):
            try:
                if reward in formset.deleted_objects:
                    remove_reward(event_pk, reward.date, now=now, by=by)
                else:
                    set_reward(event_pk, reward.date, reward.reward(), now=now, by=by)
            except Refusal as refusal:
                raise Refused(reward.date, refusal) from refusal
