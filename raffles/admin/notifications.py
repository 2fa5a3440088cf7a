"""The back office of delivery: endpoints, the log of deliveries, and replays."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from raffles.admin.actions import AdminPages, ViewPage
from raffles.admin.base import Beginning, ReadOnly, ReadOnlyMixin
from raffles.domain.clock import acting_time, database_time
from raffles.domain.keys import KeyMissing, current_key_id
from raffles.models import Announcement, Attempt, Delivery, Endpoint
from raffles.models.record import record
from raffles.notifications.delivery import deliver
from raffles.notifications.outbox import make_test
from raffles.notifications.webhooks import OVERLAP, make_secret, rotate_secret
from raffles.web.callers import staff
from raffles.web.environment import networks
from raffles.web.formats import shown
from raffles.web.outgoing import canonical, check_url, is_public, is_within

_TESTS_FOR = 20.0  # seconds that the page waits for a test


class EndpointForm(forms.ModelForm):
    """Where to send which announcements, and by which channel."""

    channel = forms.ChoiceField(
        label=_("Channel"),
        choices=[
            choice for choice in Endpoint.Channel.choices if choice[0] != Endpoint.Channel.WINNERS
        ],
    )
    kinds = forms.MultipleChoiceField(
        label=_("Kinds"),
        choices=Announcement.Kind.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Nothing chosen means everything."),
    )

    class Meta:
        model = Endpoint
        fields = ("channel", "address", "kinds", "topic", "is_enabled")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        channel = cleaned.get("channel") or self.instance.channel
        try:
            if channel == Endpoint.Channel.MAIL:
                validate_email(cleaned.get("address", ""))
            elif channel == Endpoint.Channel.WEBHOOK:
                _validate_url(cleaned.get("address", ""))
        except ValidationError as error:
            self.add_error("address", error)
        return cleaned


def _validate_url(address: str) -> None:
    """Refuse what delivery would refuse whatever the network says of it.

    Where a name leads is looked at when it is connected to.
    """
    try:
        url = check_url(address)
    except ValueError as fault:
        sentence = _("Write an address such as https://example.org/hook: %(fault)s.")
        raise ValidationError(sentence % {"fault": fault}) from None
    host, allowed = str(url.hostname), networks(settings.WEBHOOK_NETWORKS)
    try:
        ip = canonical("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        if url.scheme == "http" and not allowed:
            raise ValidationError(
                _("Write https: without it nothing is sent, but to networks of your own.")
            ) from None
        return
    if not is_within(ip, allowed) and not (url.scheme == "https" and is_public(ip)):
        raise ValidationError(_("Nothing is sent to this address (see WEBHOOK_NETWORKS)."))


def _show(request: HttpRequest, secret: str) -> None:
    text = gettext("The secret, shown this once: {}")
    messages.warning(request, format_html(text, secret))


def send_test(request: HttpRequest, admin: AdminPages, endpoint: Endpoint) -> HttpResponse:
    """Send a test message, and show the receiver's answer."""
    if not _is_testable(endpoint) or not endpoint.is_enabled:
        messages.error(
            request, gettext("Only an enabled webhook or mailbox of staff can be tested.")
        )
        return admin.to_object(endpoint)
    with transaction.atomic():
        test = make_test(endpoint, now=database_time())
        admin.note(request, endpoint, "tested")
    with override(settings.LANGUAGE_CODE):  # what is sent, and noted of it, is in one language
        deliver(clock=database_time, lasting=_TESTS_FOR, only=endpoint)
    test.refresh_from_db()
    if test.last_attempt_at is None:
        messages.warning(request, gettext("The test waits behind other messages."))
    elif test.state == Delivery.State.DELIVERED:
        said = gettext("Delivered, in %(took)s ms: %(status)s.")
        took = {"took": test.last_milliseconds, "status": test.last_status}
        messages.success(request, said % took)
    else:
        said = gettext("Not delivered: %(why)s.")
        messages.error(request, said % {"why": test.last_status or test.last_detail})
    return admin.to_object(endpoint)


def _is_testable(endpoint: Endpoint) -> bool:
    return endpoint.channel != Endpoint.Channel.WINNERS


def renew_secret(request: HttpRequest, admin: AdminPages, endpoint: Endpoint) -> HttpResponse:
    """Make a new secret, or show it again while the one before is used beside it, for a day."""
    try:
        with transaction.atomic():
            before = endpoint.secret_version
            secret = rotate_secret(endpoint, now=database_time())
            is_new = endpoint.secret_version != before
            admin.note(request, endpoint, "rotated" if is_new else "secret.shown")
        _show(request, secret)
        until = shown(endpoint.rotated_at and endpoint.rotated_at + OVERLAP)
        said = gettext("The one before it signs too, until %(at)s; then it ends.")
        messages.info(request, said % {"at": until})
    except KeyMissing as missing:
        messages.error(request, missing.for_operators())
    return admin.to_object(endpoint)


@admin.register(Endpoint)
class EndpointAdmin(AdminPages):
    """Webhooks and mailboxes; a secret is shown when it is created, and never again."""

    purpose = _(
        "Who is told when something is sold out, sealed, drawn or called off: servers by webhook, "
        "people by mail."
    )
    beginning = Beginning(
        _("Add an endpoint"), "admin:raffles_endpoint_add", "raffles.add_endpoint"
    )
    form = EndpointForm
    list_display = (
        *("__str__", "channel", "topic", "is_enabled"),
        *("failing_since", "rests_until", "rests_because"),
    )
    list_filter = ("channel", "is_enabled")
    search_fields = ("address", "topic")
    pages = (
        ViewPage(
            name="test",
            label=_("Send test"),
            permissions=("raffles.change_endpoint",),
            methods=("POST",),
            is_offered=_is_testable,
            view=send_test,
        ),
        ViewPage(
            name="rotate",
            label=_("New secret"),
            permissions=("raffles.change_endpoint",),
            methods=("POST",),
            is_offered=lambda endpoint: endpoint.channel == Endpoint.Channel.WEBHOOK,
            view=renew_secret,
        ),
    )
    record = (
        *("disabled_because", "failing_since", "rests_until", "rests_because"),
        *("rotated_at", "created_at", "log"),
    )

    def get_fields(self, _request: HttpRequest, obj: Endpoint | None = None) -> tuple[str, ...]:
        if obj is None:
            return EndpointForm.Meta.fields
        return EndpointForm.Meta.fields + self.record

    def get_readonly_fields(self, _request: HttpRequest, obj: Endpoint | None = None) -> Any:
        if obj is None:
            return ()
        is_winners = obj.channel == Endpoint.Channel.WINNERS
        fixed = ("channel", "address", "topic") if is_winners else ("channel",)
        return self.on_clocks(fixed + self.record)

    def facts(self, row: Any) -> dict[str, Any]:
        """Leave out the address: it may hold a secret, and the record is never erased."""
        return {"enabled": row.is_enabled, "kinds": row.kinds, "topic": row.topic}

    @admin.display(description=_("deliveries"))
    def log(self, endpoint: Endpoint) -> str:
        url = reverse("admin:raffles_delivery_changelist")
        link = '<a href="{}?endpoint__id__exact={}">{}</a>'
        return format_html(link, url, endpoint.pk, gettext("log"))

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        if change:
            changed = [name for name in form.changed_data if name in EndpointForm.Meta.fields]
            if "is_enabled" in changed and obj.is_enabled:
                obj.succeed()
                obj.disabled_because = ""
                changed += ["failures", "failing_since", "disabled_because"]
                changed += ["rests_until", "rests_because"]
            # Only these: a delivery in another process holds the fence and the lease.
            obj.save(update_fields=changed)
            return
        obj.created_at, obj.key_id = acting_time(), current_key_id()
        obj.save()
        if obj.channel == Endpoint.Channel.WEBHOOK:
            _show(request, make_secret(obj.key_id, obj, obj.secret_version))


class AttemptInline(ReadOnlyMixin, admin.TabularInline):
    """The failed attempts."""

    model = Attempt
    fields = ("number", "at", "status", "milliseconds", "detail")
    readonly_fields = fields
    extra = 0


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly):
    """The log of deliveries; dead ones can be sent again."""

    purpose = _(
        "Each message to an endpoint and what became of it. They come when something is announced "
        "that an endpoint is to be told."
    )
    beginning = Beginning(
        _("Look at the endpoints"), "admin:raffles_endpoint_changelist", "raffles.view_endpoint"
    )
    inlines = (AttemptInline,)
    list_display = ("announcement", "endpoint", "state", "attempts", "next_try_at", "finished_at")
    list_filter = ("state", "endpoint")
    list_select_related = ("announcement", "endpoint")
    sortable_by = ()  # as in the record: whatever there is, it would all be sorted
    fields = (
        *("message_id", "endpoint", "announcement", "state", "attempts", "next_try_at"),
        *("created_at", "finished_at"),
        *("last_attempt_at", "last_status", "last_milliseconds", "last_detail"),
    )
    readonly_fields = fields
    actions = ("send_again",)

    @admin.action(description=_("Send dead messages again"), permissions=["replay"])
    def send_again(self, request: HttpRequest, deliveries: QuerySet[Delivery]) -> None:
        chosen = Delivery.objects.filter(pk__in=deliveries.values("pk"))
        dead = chosen.filter(state=Delivery.State.DEAD).select_for_update(of=("self",))
        if resting := dead.filter(endpoint__is_enabled=False).count():
            sentence = gettext(
                "%(count)s of a disabled endpoint stay as they are: enable it first."
            )
            self.message_user(request, sentence % {"count": resting}, messages.WARNING)
        dead = dead.filter(endpoint__is_enabled=True)
        now, again = database_time(), dict[Endpoint, list[str]]()
        for delivery in dead.select_related("endpoint"):
            again.setdefault(delivery.endpoint, []).append(str(delivery.message_id))
        for endpoint, messages_ in again.items():
            action = "endpoint.sent_again"
            record(endpoint, action, at=now, by=staff(request), messages=messages_)
        if count := chosen.filter(endpoint__is_enabled=True).send_again(now):
            said = gettext("%(count)s to be sent again.")
            self.message_user(request, said % {"count": count})

    def about(self, row: Any) -> models.Model:
        """Return the endpoint, whose record has the replays."""
        endpoint: Endpoint = row.endpoint
        return endpoint

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("raffles.change_delivery")
