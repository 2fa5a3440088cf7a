"""The back office of raffles: everything to be seen, terms to be set, nothing to be undone."""

from __future__ import annotations

from django.contrib import admin

from raffles import admin_delivery

from . import raffles, records, winners

__all__ = ["admin_delivery", "raffles", "records", "winners"]  # found by the admin through these

admin.site.site_header = admin.site.site_title = "Raffles and lucky draws"
admin.site.index_title = "Back office"
