"""Who may not enter, in the back office: one by one or from a table, and never by name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from io import StringIO
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from raffles.admin.actions import AdminPages, ConfirmedAction, Performed, ViewPage
from raffles.admin.base import Beginning
from raffles.admin.table_form import TableForm
from raffles.admin.widgets import MomentField
from raffles.domain.excluding import (
    Outcome,
    Scope,
    end_exclusion,
    exclude,
    exclusion_tags,
    foresee,
)
from raffles.domain.reading_exclusions import (
    LONGEST,
    LONGEST_REASON,
    Person,
    read_identity,
    read_people,
)
from raffles.models import Exclusion, Raffle, State
from raffles.web.callers import staff
from raffles.web.fields import ReadableField
from raffles.web.formats import as_sentence, grouped
from raffles.web.zones import zone_of

_OFFERED = 200  # open raffles to choose from, the latest
_SHOWN = 200  # lines of a preview
_RAFFLE, _EVENT = "raffle:", "event:"
_LONGEST_KEY = 19  # digits, beyond what a column holds
_NOT_AGAIN = {"csrfmiddlewaretoken", "step", "text"}


def scope_choices(events: Iterable[tuple[str, str]], also: Raffle | None) -> list[Any]:
    """Return from what people may be kept out: all, an event (slug, name), an open raffle."""
    raffles = list(
        Raffle.objects.filter(event_slug=None, state=State.OPEN).order_by("-id")[:_OFFERED]
    )
    if also is not None and also not in raffles:
        raffles.insert(0, also)
    of_events = [(f"{_EVENT}{slug}", f"{name} ({slug})") for slug, name in events]
    of_raffles = [(f"{_RAFFLE}{each.pk}", each.name) for each in raffles]
    groups = [(gettext("Draws of an event"), of_events), (gettext("One raffle"), of_raffles)]
    return [("", gettext("everywhere")), *(group for group in groups if group[1])]


def _scope(chosen: str) -> Scope:
    if chosen.startswith(_EVENT):
        return Scope(event_slug=chosen.removeprefix(_EVENT))
    if chosen.startswith(_RAFFLE):
        return Scope(raffle=Raffle.objects.get(pk=chosen.removeprefix(_RAFFLE)))
    return Scope()


class TermsForm(forms.Form):
    """What kind of people, from what they are kept out, why, and until when."""

    kind = forms.ChoiceField(label=_("They are named by"), choices=Exclusion.Kind.choices)
    scope = forms.ChoiceField(label=_("May not enter"), required=False)
    reason = ReadableField(
        max_length=LONGEST_REASON,
        label=_("Reason"),
        help_text=_("For the staff alone. Write no name: who it is stays unknown here."),
    )
    ends_at = MomentField(required=False, label=_("Ends"), help_text=_("Empty: never."))

    def __init__(
        self,
        *args: Any,
        events: Iterable[tuple[str, str]] = (),
        also: Raffle | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        scope: Any = self.fields["scope"]
        scope.choices = scope_choices(events, also)
        self.now = timezone.now()

    def clean_ends_at(self) -> Any:
        ends_at = self.cleaned_data["ends_at"]
        if ends_at is not None and ends_at <= self.now:
            raise ValidationError(_("Choose a time to come, or none."))
        return ends_at

    def clean_scope(self) -> Scope:
        try:
            return _scope(self.cleaned_data["scope"])
        except Raffle.DoesNotExist:
            raise ValidationError(_("This raffle was deleted meanwhile.")) from None


class PersonForm(TermsForm):
    """One person; who it is is read, and not kept."""

    identity = forms.CharField(
        max_length=LONGEST,
        label=_("Whom"),
        widget=forms.TextInput(
            {"autocomplete": "off", "spellcheck": "false", "class": "vTextField"}
        ),
        help_text=_(
            "203.0.113.7 or 2001:db8::7, a username, name@example.org, or a list's identifier. "
            "It is not kept, only a keyed fingerprint of it."
        ),
    )
    field_order = ("kind", "identity", "scope", "reason", "ends_at")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if {"kind", "identity"} <= cleaned.keys():
            try:
                cleaned["identity"] = read_identity(cleaned["kind"], cleaned["identity"])
            except ValueError as fault:
                self.add_error("identity", as_sentence(str(fault)))
        if not self.errors and self.outcome() == Outcome.SAME:
            self.add_error(
                "identity", _("This person may not enter there already, and not before that end.")
            )
        return cleaned

    def person(self) -> Person:
        """Return whom to exclude."""
        told = self.cleaned_data
        kind = Exclusion.Kind(told["kind"])
        return Person(kind, told["identity"], told["reason"], told["ends_at"])

    def outcome(self) -> Outcome:
        """Return what saving would do."""
        return foresee([self.person()], self.cleaned_data["scope"], now=self.now)[0]


class PeopleForm(TermsForm, TableForm):
    """A table of people, and what holds for the lines that say nothing else."""

    field_order = ("file", "text", "kind", "scope", "reason", "ends_at")


# --- Pages


@sensitive_post_parameters("identity")
def add_person(request: HttpRequest, admin: ExclusionAdmin) -> HttpResponseBase:
    """Exclude one person."""
    how = admin.offered(request)
    form = PersonForm(request.POST or None, initial={"scope": request.GET.get("scope", "")}, **how)
    if request.method == "POST" and form.is_valid():
        by: dict[str, Any] = {"now": timezone.now(), "by": staff(request)}
        exclude([form.person()], form.cleaned_data["scope"], **by)
        messages.success(request, gettext("Excluded. Tickets taken before stay."))
        return admin.to_list()
    status = 400 if form.errors else 200
    template = "admin/raffles/exclusion/person.html"
    return admin.render(
        request, template, gettext("Exclude somebody"), None, {"form": form}, status
    )


@sensitive_post_parameters("text")
def import_people(request: HttpRequest, admin: ExclusionAdmin) -> HttpResponseBase:
    """Check each line of a table and show what it would do; once confirmed, exclude them all."""
    how = admin.offered(request)
    form = PeopleForm(request.POST or None, request.FILES or None, **how)
    context: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        told, now = form.cleaned_data, timezone.now()
        context = _checked(form, now)
        if "step" in request.POST and context["settable"] and not context["bad"]:
            people = [line.person for line, _outcome in context["lines"]]
            exclude(people, told["scope"], now=now, by=staff(request))
            count = context["settable"]
            said = gettext("%(count)s people excluded. Tickets taken before stay.")
            messages.success(request, said % {"count": grouped(count)})
            return admin.to_list()
        # From now on the contents of the file are text, to be corrected there.
        sent = request.POST.dict() | {"text": told["text"]}
        form = PeopleForm(sent, **how)
        context["again"] = [(name, sent[name]) for name in sent if name not in _NOT_AGAIN]
    status = 400 if form.errors or context.get("bad") else 200
    title = gettext("Exclude people from a table")
    template = "admin/raffles/exclusion/people.html"
    return admin.render(request, template, title, None, {"form": form, **context}, status)


def _checked(form: PeopleForm, now: Any) -> dict[str, Any]:
    """Return the lines, with what each would do or what is wrong with it."""
    told = form.cleaned_data
    usual = {"kind": told["kind"], "reason": told["reason"], "ends_at": told["ends_at"]}
    read = list(read_people(StringIO(told["text"], newline=""), now=now, **usual))
    bad = [line for line in read if line.fault]
    people = [line.person for line in read if line.person]
    outcomes = iter(foresee(people, told["scope"], now=now))
    lines = [(line, None if line.fault else next(outcomes)) for line in read]
    counted = [outcome for _line, outcome in lines if outcome]
    same = counted.count(Outcome.SAME)
    shown_first = sorted(lines, key=lambda each: not each[0].fault)[:_SHOWN]
    return {
        "encoding": told.get("encoding"),
        "lines": lines,
        "first": sorted(shown_first, key=lambda each: each[0].number),
        "more": max(len(lines) - _SHOWN, 0),
        "bad": bad,
        "same": same,
        "settable": len(counted) - same,
        "chosen": True,
    }


class FindForm(forms.Form):
    """An identity to be looked for; posted, since a URL would stay in histories and logs."""

    text = forms.CharField(max_length=LONGEST)


@sensitive_post_parameters("text")
def find_person(request: HttpRequest, admin: ExclusionAdmin) -> HttpResponseBase:
    """Show by which exclusions a person may not enter, whatever names them."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    form = FindForm(request.POST)
    names = set()
    for kind in Exclusion.Kind if form.is_valid() else ():
        try:
            names.add(read_identity(kind, form.cleaned_data["text"]))
        except ValueError:
            continue
    rows = list(Exclusion.objects.of(exclusion_tags(names)).select_related("raffle"))
    if len(rows) == 1:
        return admin.to_object(rows[0])
    now = timezone.now()
    found = [(row, row.is_in_force(now)) for row in rows]
    title = gettext("Found") if found else gettext("Nobody is excluded by that name")
    template = "admin/raffles/exclusion/found.html"
    return admin.render(request, template, title, None, {"found": found})


def _preview_end(_exclusion: Exclusion) -> list[Any]:
    return [
        _("From now on the person may enter again."),
        _("The line stays here as ended, until it is deleted."),
    ]


def _perform_end(exclusion: Exclusion, *, now: Any, by: str) -> Performed:
    if end_exclusion(exclusion, now=now, by=by):
        return Performed(gettext("Ended: the person may enter again."))
    return Performed(gettext("It had ended already."))


class InForceFilter(admin.SimpleListFilter):
    """Exclusions by whether they have ended."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("force", gettext("In force")), ("ended", gettext("Ended"))]

    def queryset(self, _request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        match self.value():
            case "force":
                return rows.filter(pk__in=Exclusion.objects.in_force(now).values("pk"))
            case "ended":
                return rows.filter(ends_at__lte=now)
        return rows


class ExclusionForm(forms.ModelForm):
    """What can be changed of an exclusion: why, and until when."""

    class Meta:
        model = Exclusion
        fields = ("reason", "ends_at")
        field_classes = {"reason": ReadableField}


class ExclusionAdmin(AdminPages):
    """Exclusions; a higher floor knows which events there are (`events`) and registers it."""

    purpose = _(
        "People who may not enter: staff and their families, those who asked for it themselves, "
        "cheats. Nobody can read from this list who they are."
    )
    beginning = Beginning(
        _("Exclude somebody"), "admin:raffles_exclusion_add", "raffles.add_exclusion"
    )
    form = ExclusionForm
    change_list_template = "admin/raffles/exclusion/change_list.html"
    list_display = ("reason", "kind", "holds", "state", "ends_at", "created_at")
    list_filter = (InForceFilter, "kind")
    search_fields = ("reason", "event_slug", "raffle__name")
    search_help_text = _("By reason, event or raffle")
    list_select_related = ("raffle",)
    fields = ("kind", "holds", "state", "reason", "ends_at", "created_at", "created_by", "key")
    pages = (
        ViewPage(
            name="people",
            is_of_object=False,
            permissions=("raffles.add_exclusion",),
            view=import_people,
        ),
        ViewPage(
            name="find", is_of_object=False, permissions=(), methods=("POST",), view=find_person
        ),
        ConfirmedAction(
            name="end",
            label=_("End"),
            permissions=("raffles.change_exclusion",),
            is_offered=lambda row: row.is_in_force(timezone.now()),
            preview=_preview_end,
            perform=_perform_end,
        ),
    )

    def events(self) -> Iterable[tuple[str, str]]:
        """Return the slugs and names of the events that people may be kept out of."""
        return ()

    def offered(self, request: HttpRequest) -> dict[str, Any]:
        """Return what a form offers to choose from; a raffle named in the URL is among it."""
        chosen = request.GET.get("scope", "").removeprefix(_RAFFLE)
        is_key = chosen.isdecimal() and len(chosen) < _LONGEST_KEY
        also = Raffle.objects.filter(pk=chosen).first() if is_key else None
        return {"events": self.events(), "also": also}

    def zone(self, _row: Any) -> tzinfo:
        """Return the site's zone: an exclusion has no place."""
        return zone_of(settings.RAFFLE_ZONE)

    def to_list(self) -> HttpResponseRedirect:
        """Return a redirect to the list."""
        return HttpResponseRedirect(reverse("admin:raffles_exclusion_changelist"))

    def add_view(self, request: HttpRequest, *_: Any, **__: Any) -> Any:
        """Exclude somebody: what is typed is not what is kept."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        with timezone.override(self.zone(None)):
            response: Any = add_person(request, self)
            return response.render() if hasattr(response, "render") else response

    def get_readonly_fields(self, _request: HttpRequest, _obj: Any = None) -> Any:
        return self.on_clocks(("kind", "holds", "state", "created_at", "created_by", "key"))

    @admin.display(description=_("may not enter"))
    def holds(self, row: Exclusion) -> str:
        """Show where it holds."""
        if row.raffle_id:
            return str(row.raffle)
        return row.event_slug or gettext("everywhere")

    @admin.display(description=_("state"))
    def state(self, row: Exclusion) -> str:
        """Show whether it has ended."""
        return gettext("in force") if row.is_in_force(timezone.now()) else gettext("ended")

    @admin.display(description=_("key"))
    def key(self, row: Exclusion) -> str:
        """Show the id of the ticket key without which it would not hold."""
        return row.key_id

    def facts(self, row: Any) -> dict[str, Any]:
        """Leave out the reason, which may say more than the record may keep."""
        return {"kind": row.kind, "ends_at": row.ends_at}


def exclude_from(_request: HttpRequest, _admin: AdminPages, row: Any) -> HttpResponseBase:
    """Redirect to the form of a new exclusion from a raffle, or from a row's event by its slug."""
    scope = f"{_RAFFLE}{row.pk}" if isinstance(row, Raffle) else f"{_EVENT}{row.slug}"
    return HttpResponseRedirect(reverse("admin:raffles_exclusion_add", query={"scope": scope}))


EXCLUDE_FROM = ViewPage(
    name="exclude",
    label=_("Exclude somebody"),
    permissions=("raffles.add_exclusion",),
    methods=("GET", "HEAD"),
    is_offered=lambda row: (
        not isinstance(row, Raffle) or (row.state == State.OPEN and not row.event_slug)
    ),
    view=exclude_from,
)
