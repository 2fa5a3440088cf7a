"""Forms as all pages show them."""

from __future__ import annotations

import re

from django import forms


class Trip(forms.Form):
    where = forms.CharField()
    secret = forms.CharField(widget=forms.HiddenInput)
    when = forms.DateField()
    way = forms.ChoiceField(choices=[("land", "By land")])


def focused(form: forms.Form) -> list[str]:
    return re.findall(r'name="(\w+)"[^>]* autofocus', str(form))


def test_the_first_fault_has_the_focus() -> None:
    fine = {"where": "Rome", "secret": "x", "when": "2030-01-31", "way": "land"}
    assert focused(Trip()) == focused(Trip(fine)) == []
    assert focused(Trip({})) == ["where"]
    assert focused(Trip(fine | {"when": "soon", "way": "sea"})) == ["when"]
    assert focused(Trip(fine | {"secret": "", "way": "sea"})) == ["way"]
