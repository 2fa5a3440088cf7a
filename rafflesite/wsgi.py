"""The WSGI application; refuses to serve the public without its secrets."""

import os

from django.core.wsgi import get_wsgi_application

from rafflesite.checks import require_secrets

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rafflesite.settings")
application = get_wsgi_application()
require_secrets()
