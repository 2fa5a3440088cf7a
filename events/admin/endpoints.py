"""Endpoints, where there are events: one may be told of a single event, which must exist."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from events.models import Event
from raffles.admin.notifications import EndpointAdmin, EndpointForm
from raffles.models import Endpoint

admin.site.unregister(Endpoint)


class EndpointOfEventsForm(EndpointForm):
    """The event is chosen: nothing is ever announced of one that does not exist."""

    topic = forms.ChoiceField(required=False, label=_("Only this event"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "topic" not in self.fields:
            return
        choices = [("", gettext("all events and raffles"))]
        choices += [(slug, f"{name} ({slug})") for slug, name in _events()]
        if self.instance.topic and self.instance.topic not in dict(choices):
            gone = _("%(slug)s: there is no such event") % {"slug": self.instance.topic}
            choices.append((self.instance.topic, gone))
        self.fields["topic"].choices = choices  # type: ignore[attr-defined]


def _events() -> list[tuple[str, str]]:
    return list(Event.objects.order_by("name").values_list("slug", "name"))


@admin.register(Endpoint)
class EndpointOfEventsAdmin(EndpointAdmin):
    """Webhooks and mailboxes, of all events or of one."""

    form = EndpointOfEventsForm
