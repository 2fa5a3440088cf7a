"""Settings of the floors: the site's database, and what FLOOR asks for around it.

*bare* is as little of Django and DRF as there is. *stock* is what `startproject` writes and DRF
takes by itself, with its throttle for strangers and an access line.
"""

from __future__ import annotations

import os
from typing import Any

from rafflesite import settings as site

SECRET_KEY = site.SECRET_KEY
ALLOWED_HOSTS = site.ALLOWED_HOSTS
DATABASES = site.DATABASES
ROOT_URLCONF = "benchmarks.floor"
USE_TZ = True

if os.environ["FLOOR"] == "stock":
    INSTALLED_APPS = [
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "rest_framework",
    ]
    MIDDLEWARE = [
        "benchmarks.floor.log_access",
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    LOGGING = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
    }
    CACHES = site.CACHES  # else a third of the counters is thrown away at each 300th
    REST_FRAMEWORK: dict[str, Any] = {
        "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
        "DEFAULT_THROTTLE_RATES": {"anon": site.THROTTLE_ENTRY},
    }
else:
    LOGGING_CONFIG = None
    REST_FRAMEWORK = {
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
    }
