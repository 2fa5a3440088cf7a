"""Tests of staff accounts, where django-allauth is installed."""
