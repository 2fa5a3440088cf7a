"""The WSGI application; what has to be done before it serves is in `rafflesite.starting`."""

import os

import django

from rafflesite import counting

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rafflesite.settings")
counting.begin()
django.setup(set_prefix=False)

# ruff: noqa: E402 - models can be imported only now
from raffles.web.middleware import UTF8WSGIHandler
from rafflesite.starting import start

start()
application = UTF8WSGIHandler()
