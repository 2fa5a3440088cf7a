"""The ASGI application: the live stream, and the site behind it.

What has to be done before it serves is in `rafflesite.starting`.
"""

import os
from typing import cast

import django

from rafflesite import counting

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rafflesite.settings")
counting.begin()
django.setup(set_prefix=False)

# ruff: noqa: E402 - models can be imported only now
from events.api.feeds import has_event
from raffles.notifications.stream.serving import Application, StreamApplication
from raffles.web.middleware import UTF8ASGIHandler
from rafflesite.starting import start

start()
application = StreamApplication(cast("Application", UTF8ASGIHandler()), has_event=has_event)
