"""Forms as a browser finds them on a page, to be filled in and sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass(slots=True)
class Control:
    """A named control: what it would send, and whether the page says that it is wrong."""

    name: str
    kind: str
    values: list[str] = field(default_factory=list)
    classes: str = ""
    is_wrong: bool = False
    is_locked: bool = False


@dataclass(slots=True)
class Form:
    """A form that posts; ``controls`` by name, ``sends`` is what its first button adds."""

    action: str
    controls: dict[str, Control] = field(default_factory=dict)
    sends: dict[str, str] = field(default_factory=dict)

    def data(self) -> dict[str, list[str]]:
        """Return what is sent as it stands."""
        filled = (one for one in self.controls.values() if one.values and not one.is_locked)
        sent = {one.name: list(one.values) for one in filled}
        return sent | {name: [value] for name, value in self.sends.items()}

    def take_row(self, prefix: str) -> str:
        """Press "Add another" of one kind of rows, and return the new row's prefix."""
        total = self.controls[f"{prefix}-TOTAL_FORMS"]
        row = f"{prefix}-{total.values[0]}"
        total.values = [str(int(total.values[0]) + 1)]
        for name, one in list(self.controls.items()):
            if name.startswith(f"{prefix}-__prefix__-"):
                new = name.replace(f"{prefix}-__prefix__", row)
                self.controls[new] = Control(new, one.kind, list(one.values), one.classes)
        return row


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._form: Form | None = None
        self._control: Control | None = None
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(of.get("action", "")) if of.get("method") == "post" else None
            self.found += [self._form] if self._form else []
        elif self._form and tag == "option" and self._control:
            self._take_option(self._control, of)
        elif self._form and of.get("name"):
            self._take(self._form, tag, of)

    def _take(self, form: Form, tag: str, of: dict[str, str]) -> None:
        kind = of.get("type", "text")
        if tag == "button" or kind == "submit":
            form.sends = form.sends or {of["name"]: of.get("value", "")}
        elif tag in ("select", "textarea"):
            self._control, self._text = self._add(form, of, tag), []
        elif tag == "input":
            control = self._add(form, of, kind)
            is_choice = kind in ("checkbox", "radio")
            is_sent = "checked" in of if is_choice else kind != "file"
            control.values += [of.get("value", "on" if is_choice else "")] if is_sent else []

    @staticmethod
    def _take_option(control: Control, of: dict[str, str]) -> None:
        value = of.get("value", "")
        if control.kind == "select multiple":
            control.values += [value] if "selected" in of else []
        elif "selected" in of or not control.values:  # the first, where none is
            control.values = [value]

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea" and self._control is not None:
            self._control.values = ["".join(self._text).removeprefix("\n")]
        if tag in ("select", "textarea"):
            self._control = None

    @staticmethod
    def _add(form: Form, of: dict[str, str], kind: str) -> Control:
        kind += " multiple" if "multiple" in of else ""
        control = form.controls.setdefault(of["name"], Control(of["name"], kind))
        control.classes += of.get("class", "")
        control.is_wrong |= of.get("aria-invalid") == "true"
        control.is_locked |= "disabled" in of
        return control


def forms_of(page: str) -> list[Form]:
    """Return the forms of a page that post."""
    parser = _Forms()
    parser.feed(page)
    return parser.found
