"""Forms as all pages show them."""

from __future__ import annotations

from typing import Any

from django.forms import BoundField
from django.forms.renderers import DjangoTemplates


class RefusedField(BoundField):
    """A field of a form; the first that is refused has the focus when the page comes back.

    On forms to add something the admin's own script would take it (admin/change_form.html).
    """

    def build_widget_attrs(self, attrs: dict[str, Any], widget: Any = None) -> dict[str, Any]:
        built = super().build_widget_attrs(attrs, widget)
        refused = (item for item in self.form.fields.items() if item[0] in self.form.errors)
        shown = (name for name, field in refused if not field.widget.is_hidden)
        if built.get("aria-invalid") and self.name == next(shown):
            built["autofocus"] = True
        return built


class Renderer(DjangoTemplates):
    """Django's, with our fields: scrolled to and read out with its fault, without a script."""

    bound_field_class = RefusedField
