"""The ASGI application; refuses to serve the public without its secrets."""

import os

import django

from rafflesite.checks import require_secrets
from rafflesite.handlers import UTF8ASGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rafflesite.settings")
django.setup(set_prefix=False)
require_secrets()
application = UTF8ASGIHandler()
