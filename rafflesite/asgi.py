"""The ASGI application; refuses to serve the public without its secrets."""

import os

from django.core.asgi import get_asgi_application

from rafflesite.checks import require_secrets

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rafflesite.settings")
application = get_asgi_application()
require_secrets()
