"""A table in a form: as a file, or as pasted text."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from raffles.web.formats import grouped
from raffles.web.tables import UnreadableTable, read_text


class TableForm(forms.Form):
    """A table as a file or as text; either is read into `text`, in an `encoding`."""

    most: ClassVar[int] = 1_000_000  # bytes

    file = forms.FileField(
        required=False,
        label=_("A CSV file"),
        widget=forms.ClearableFileInput({"accept": ".csv,text/csv,text/plain"}),
    )
    text = forms.CharField(
        required=False,
        strip=False,
        label=_("Or its lines"),
        widget=forms.Textarea({"rows": 12, "class": "table-text", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        said = _("At most %(most)s MB.")
        self.fields["file"].help_text = said % {"most": self.most // 1_000_000}

    def clean_text(self) -> str:
        """Return the text with the line breaks that a file has: browsers send two signs for one."""
        text: str = self.cleaned_data["text"]
        return text.replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if (file := cleaned.get("file")) is not None:
            try:
                cleaned |= read_text(file.read(self.most + 1), most=self.most)._asdict()
            except UnreadableTable as fault:
                self.add_error("file", str(fault))
        elif "text" in cleaned and len(cleaned["text"]) > self.most:
            said = _("At most %(most)s characters.") % {"most": grouped(self.most)}
            self.add_error("text", said)
        elif "text" in cleaned and not cleaned["text"].strip():
            raise ValidationError(_("Choose a file, or write the lines of the table."))
        return cleaned
