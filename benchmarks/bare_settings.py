"""Settings of the floor: the site's database, and as little of Django and DRF as there is."""

from __future__ import annotations

from rafflesite import settings as site

SECRET_KEY = site.SECRET_KEY
ALLOWED_HOSTS = site.ALLOWED_HOSTS
DATABASES = site.DATABASES
ROOT_URLCONF = "benchmarks.bare"
USE_TZ = True
LOGGING_CONFIG = None
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}
