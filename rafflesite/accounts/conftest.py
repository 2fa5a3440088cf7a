"""Leaves these tests out where django-allauth, an optional extra, is not installed."""

from django.conf import settings

collect_ignore = [] if settings.HAS_ACCOUNTS else ["tests"]
