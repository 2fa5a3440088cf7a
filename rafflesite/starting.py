"""What a process that serves does first, whichever server imports it."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection
from django.utils import timezone

from raffles.domain import lineage
from raffles.domain.keys import KeyMissing
from raffles.domain.log import announce_keys
from raffles.web.outages import Unavailable

logger = logging.getLogger(__name__)


def start() -> None:
    """Refuse to serve with what `check --deploy` calls an error; have the log know our keys.

    A server imports the application before it answers the first request, so the keys are announced
    by then. Without the database it comes up all the same, for /readyz to say so: what is stated
    later announces them first. Raises ImproperlyConfigured.
    """
    found = run_checks(include_deployment_checks=True)
    if errors := [each for each in found if each.is_serious() and not each.is_silenced()]:
        raise ImproperlyConfigured("\n".join(f"{e.msg} {e.hint or ''}".strip() for e in errors))
    if "RECEIPT_KEY" not in settings.EPHEMERAL_SECRETS:  # else it is gone with this process
        # Some servers import it in an event loop, or before they fork: a thread has a connection
        # of its own, which ends with it.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(_announce).result()


def _announce() -> None:
    try:
        lineage.begin()
        announce_keys(timezone.now())
    except KeyMissing as missing:
        raise ImproperlyConfigured(missing.for_operators()) from missing
    except Unavailable as reason:  # /readyz says so
        logger.error("%s", reason.for_operators())
    except Error as error:
        logger.warning("The keys cannot be announced yet: %s", error)
    finally:
        connection.close()
