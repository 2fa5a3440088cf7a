"""The ASGI application: the live stream, and the site behind it.

Refuses to serve the public without its secrets.
"""

import os

import django
from django.utils.module_loading import import_string

from rafflesite.checks import require_secrets
from rafflesite.handlers import UTF8ASGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rafflesite.settings")
django.setup(set_prefix=False)
require_secrets()
application = import_string("raffles.stream.serving.StreamApplication")(
    UTF8ASGIHandler(), has_event=import_string("events.feeds.has_event")
)
