"""Staff accounts as an application, installed where django-allauth is."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """A second factor for the staff, and signing in by OpenID Connect."""

    name = "rafflesite.accounts"
    verbose_name = "Staff accounts"
