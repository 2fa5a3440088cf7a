"""Two people at one form: nobody puts back, by saving, what somebody else has changed meanwhile.

A form of an object carries what its reader saw (Django's hidden initial values). When it is sent,
that is compared, under the row's lock, with what is stored. Where they differ nothing is saved: the
page comes back with the others' values where the reader typed nothing, with what was typed where
they did, and with both beside each other where they differ. Saving again means it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from django import forms
from django.contrib.auth.forms import ReadOnlyPasswordHashField
from django.http import QueryDict
from django.utils.translation import gettext as _

from raffles.models import LogEntry
from raffles.web.formats import SECOND, shown
from raffles.web.forms import RefusedField

_WHOLE = "__all__"  # what Django calls an error that is beside no field


@dataclass(slots=True)
class Conflict:
    """``data`` is what was sent, brought up to date; ``said`` are sentences by form and field."""

    data: QueryDict
    said: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, form: str, name: str, sentence: str) -> None:
        """Say something beside a field of the form with this prefix."""
        self.said.setdefault(form, {})[name] = sentence


class SeenField(RefusedField):
    """A field that shows again what its reader saw at first, also dates with times and lists."""

    def as_hidden(self, attrs: Any = None, **kwargs: Any) -> Any:
        """Return the hidden value; Django's can be what was typed, and keeps back locked ones."""
        if not kwargs.get("only_initial"):
            return super().as_hidden(attrs, **kwargs)
        widget, name, was = self.field.hidden_widget(), self.html_initial_name, self.value()
        if self.form.is_bound:
            was = widget.value_from_datadict(self.form.data, self.form.files, name)
        return widget.render(name, was, {"id": self.html_initial_id})


class NoticingForm(forms.BaseForm):
    """Mixed into forms of the admin: what is there when it is shown comes back when it is sent."""

    bound_field_class = SeenField
    conflict: Conflict | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_stored = cast("Any", self).instance.pk is not None
        for one in self.fields.values():  # also those that are locked, but for a password's hash
            one.show_hidden_initial = is_stored and not isinstance(one, ReadOnlyPasswordHashField)

    def full_clean(self) -> None:
        """Refuse what somebody should look at first."""
        super().full_clean()
        said = self.conflict.said.get(self.prefix or "", {}) if self.conflict else {}
        for name, sentence in said.items():
            self.add_error(None if name == _WHOLE else name, sentence)


def seen(form: Any, conflict: Conflict | None) -> Any:
    """Return the class of a form that notices what others did."""
    return type(form)(form.__name__, (NoticingForm, form), {"conflict": conflict})


def conflict_of(
    form: Any, formsets: Sequence[tuple[Any, Any]], data: QueryDict, last: LogEntry | None
) -> Conflict | None:
    """Return what others changed since the form was shown; None if nothing.

    ``formsets`` are pairs: as sent, and as stored. Who sends nothing of what they saw means what is
    stored.
    """
    if not any(name.startswith("initial-") for name in data):
        return None
    found = Conflict(data.copy())
    changed = list(_merge(form, found, last))
    for sent, stored in formsets:
        changed += _merge_rows(sent, stored, found, last)
    if not changed:
        return None
    what = ", ".join(dict.fromkeys(changed))
    sentence = _("Changed while you had this page open%(by)s: %(what)s.") % {
        "by": _by(last),
        "what": what,
    }
    ask = _("Nothing is saved yet: look it over, and save.")
    found.add(form.prefix or "", _WHOLE, f"{sentence} {ask}")
    return found


def typed(data: QueryDict, model: str) -> list[tuple[str, str]]:
    """Return what somebody sees in the fields of a model's form, by name; no secrets."""
    hidden = ("initial-", "_", "csrf")
    return [
        (name.replace("_", " ").replace("-", " "), ", ".join(values))
        for name, values in data.lists()
        if not name.startswith(hidden) and not name.endswith(("_FORMS", "-id", f"-{model}"))
        if "password" not in name and any(values)
    ]


def _by(last: LogEntry | None) -> str:
    if last is None:
        return ""
    return _(", last by %(by)s, %(at)s") % {"by": last.by, "at": shown(last.at, SECOND)}


def _merge(form: Any, found: Conflict, last: LogEntry | None) -> Iterator[str]:
    """Bring a form's data up to date; yield the names of what others changed."""
    for name, one in form.fields.items():
        if not one.show_hidden_initial:
            continue
        bound, hidden = form[name], one.hidden_widget()
        was = hidden.value_from_datadict(form.data, form.files, bound.html_initial_name)
        is_mine = name in form.changed_data
        is_theirs = one.has_changed(bound.initial, was)
        _put(found.data, _raw(hidden, bound.html_initial_name, one, bound.initial))
        if not is_theirs:
            continue
        yield str(bound.label)
        if not is_mine:
            _put(found.data, _raw(one.widget, bound.html_name, one, bound.initial))
        elif one.has_changed(bound.initial, bound.data):
            now = _in_words(one, bound.initial)
            sentence = _("Now it is %(now)s%(by)s. What you typed is still here.") % {
                "now": now,
                "by": _by(last),
            }
            found.add(form.prefix or "", name, sentence)


def _merge_rows(
    sent: Any,
    stored: Any,
    found: Conflict,
    last: LogEntry | None,
) -> list[str]:
    """Bring rows up to date: theirs come, those that they took away go unless they were touched."""
    title = str(sent.model._meta.verbose_name_plural)
    known = {form.instance.pk: form for form in sent.initial_forms if form.instance.pk}
    gone = [form for form in sent.initial_forms if not form.instance.pk]
    kept, changed = [form for form in gone if form.has_changed()], [title] if gone else []
    rows: list[tuple[dict[str, list[str]], dict[str, str]]] = []
    for form in stored.initial_forms:
        if mine := known.get(form.instance.pk):
            names = list(_merge(mine, found, last))
            changed += [
                _("%(field)s of %(row)s") % {"field": name, "row": form.instance} for name in names
            ]
            prefix = mine.prefix or ""
            rows.append((_row(found.data, prefix), found.said.pop(prefix, {})))
        else:
            changed.append(f"{form.instance}")
            rows.append((_as_sent(form), {}))
    first_new = len(rows)
    for form in kept:
        row = _row(found.data, form.prefix or "")
        row.pop(f"-{sent.model._meta.pk.name}", None)
        row = {name[1:]: was for name, was in row.items() if name.startswith("=")} | row
        rows.append(
            (row, {_WHOLE: _("Somebody has taken this row away%(by)s.") % {"by": _by(last)}})
        )
    rows += [(_row(found.data, form.prefix or ""), {}) for form in sent.extra_forms]
    if changed:
        _renumber(found, sent.prefix, rows, first_new)
    return changed


def _row(data: QueryDict, prefix: str) -> dict[str, list[str]]:
    """Return what was sent of a row, by what follows its prefix; ``=`` marks what was seen."""
    rows = {"": f"{prefix}-", "=": f"initial-{prefix}-"}
    return {
        f"{mark}-{name.removeprefix(start)}": data.getlist(name)
        for mark, start in rows.items()
        for name in data
        if name.startswith(start)
    }


def _as_sent(form: Any) -> dict[str, list[str]]:
    """Return what a form that nobody touched sends."""
    sent: dict[str, list[str]] = {}
    for bound in form:
        sent |= _raw(bound.field.widget, f"-{bound.name}", bound.field, bound.initial)
        if bound.field.show_hidden_initial:
            hidden = bound.field.hidden_widget()
            sent |= _raw(hidden, f"=-{bound.name}", bound.field, bound.initial)
    return sent


def _renumber(
    found: Conflict,
    prefix: str,
    rows: Sequence[tuple[Mapping[str, list[str]], dict[str, str]]],
    first_new: int,
) -> None:
    for name in [
        name for name in found.data if name.removeprefix("initial-").startswith(f"{prefix}-")
    ]:
        if not name.endswith("_FORMS"):
            del found.data[name]
    for n, (row, said) in enumerate(rows):
        start = f"{prefix}-{n}"
        _put(
            found.data,
            {
                (f"initial-{start}{name[1:]}" if name.startswith("=") else f"{start}{name}"): values
                for name, values in row.items()
            },
        )
        for name, sentence in said.items():
            found.add(start, name, sentence)
    found.data[f"{prefix}-TOTAL_FORMS"] = str(len(rows))
    found.data[f"{prefix}-INITIAL_FORMS"] = str(first_new)


def _put(data: QueryDict, values: Mapping[str, list[str]]) -> None:
    for name, sent in values.items():
        data.setlist(name, sent)
        if not sent:
            del data[name]


def _raw(widget: Any, name: str, one: Any, value: Any) -> dict[str, list[str]]:
    """Return what a widget that shows a value sends, by name."""
    widget = getattr(widget, "widget", widget)  # the admin wraps choices of related objects
    if hasattr(widget, "decompress"):  # it has parts
        parts = zip(widget.widgets_names, widget.widgets, widget.decompress(value), strict=True)
        found: dict[str, list[str]] = {}
        for suffix, part, of_it in parts:
            found |= _raw(part, name + suffix, forms.Field(), of_it)
        return found
    value = one.prepare_value(value)
    if isinstance(widget, forms.CheckboxInput):
        return {name: ["on"] if value else []}
    if isinstance(value, (list, tuple)):
        return {name: [str(item) for item in value]}
    shown_ = widget.format_value(value)
    return {
        name: [str(item) for item in shown_] if isinstance(shown_, list) else [str(shown_ or "")]
    }


def _in_words(one: Any, value: Any) -> str:
    """Return a stored value as somebody reads it."""
    names = dict(getattr(one, "choices", ()))
    value = one.prepare_value(value)
    values = value if isinstance(value, (list, tuple)) else [value]
    words = [str(names.get(item, item)) for item in values if item not in (None, "")]
    return _("“%(value)s”") % {"value": ", ".join(words)} if words else _("empty")
