"""The names of models and fields, which Django derives from ours in English, as words to translate.

Written out they would stand beside each field a second time.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import models
from django.utils.translation import gettext_lazy, override


def translate_names(app: str) -> None:
    """Make the names that an application's models and their fields have be translated when shown.

    Migrations do not see it: it changes what is shown, not what was declared.
    """
    for model in apps.all_models[app].values():
        options = model._meta
        options.verbose_name = _translated(options.verbose_name)
        options.verbose_name_plural = _translated(options.verbose_name_plural)
        for field in (*options.local_fields, *options.private_fields):
            if isinstance(field, models.Field):
                field.verbose_name = _translated(field.verbose_name)


def _translated(name: Any) -> Any:
    # Also what is lazy already: Django's plural joins an “s” to whatever the word became.
    with override(None):
        return gettext_lazy(str(name))
