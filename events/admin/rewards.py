"""Rewards by date of all events, including past ones and those that an event's page omits."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _

from events.admin.forms import REWARD, RewardForm
from events.domain.scheduling import remove_reward, set_reward
from events.models import Reward
from raffles.admin.base import Beginning, Recorded
from raffles.domain.clock import acting_time
from raffles.domain.refusals import Refusal
from raffles.web.callers import staff


@admin.register(Reward)
class RewardAdmin(Recorded):
    """Rewards of coming dates can be changed and removed here; they are added with their event."""

    purpose = _(
        "A date may have a reward of its own in place of its event’s default. It is written on the "
        "event’s page, in the calendar or from a table."
    )
    beginning = Beginning(
        _("Choose the event"), "admin:events_event_changelist", "events.view_event"
    )
    form = RewardForm
    domain_records = frozenset({"added", "changed", "deleted"})
    fields = ("event", "date", *REWARD)
    readonly_fields = ("event",)
    list_display = ("date", "event", "reward_name", "reward_amount")
    list_select_related = ("event",)
    search_fields = ("event__name", "event__slug", "reward_name")
    search_help_text = _("By event or reward.")
    date_hierarchy = "date"
    ordering = ("-date", "event")

    def about(self, row: Any) -> Model:
        """Return the event."""
        event: Model = row.event
        return event

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Reward | None = None) -> bool:
        return _is_free(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Reward | None = None) -> bool:
        return _is_free(obj) and super().has_delete_permission(request, obj)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refusal as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Reward, _form: Any, _change: bool) -> None:
        now, by = acting_time(), staff(request)
        set_reward(obj.event_id, obj.date, obj.reward(), now=now, by=by)

    def delete_model(self, request: HttpRequest, obj: Reward) -> None:
        remove_reward(obj.event_id, obj.date, now=acting_time(), by=staff(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Reward]) -> None:
        for reward in queryset:
            self.delete_model(request, reward)


def _is_free(reward: Reward | None) -> bool:
    """Return whether its date has neither tickets nor an outcome."""
    return reward is None or not reward.event.occurrences.filter(date=reward.date).exists()
