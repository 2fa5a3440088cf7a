#!/usr/bin/env python
"""Run a management command: `python manage.py help` lists them."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError, InterfaceError

from raffles.web.outages import Unavailable, is_outage

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rafflesite.settings")
    try:
        execute_from_command_line(sys.argv)
    except Unavailable as reason:
        sys.exit(reason.for_operators())
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(str(error))
    except (DatabaseError, InterfaceError) as error:
        if "--traceback" in sys.argv or not is_outage(error):
            raise
        sys.exit(f"The database is not available: {' '.join(str(error).split())}")
