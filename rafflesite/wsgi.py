"""The WSGI application; refuses to serve the public without its secrets and its folder."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rafflesite.settings")
django.setup(set_prefix=False)

# ruff: noqa: E402 - models can be imported only now
from raffles.web.middleware import UTF8WSGIHandler
from rafflesite.checks import require_secrets, require_state_dir, require_witness_key

require_secrets()
require_state_dir()
require_witness_key()
application = UTF8WSGIHandler()
