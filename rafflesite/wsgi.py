"""The WSGI application; refuses to serve the public without its secrets."""

import os

import django

from rafflesite.checks import require_secrets
from rafflesite.handlers import UTF8WSGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rafflesite.settings")
django.setup(set_prefix=False)
require_secrets()
application = UTF8WSGIHandler()
