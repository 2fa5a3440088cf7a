"""Which settings are secrets: `diffsettings` and the error pages of DEBUG do not show them."""

from __future__ import annotations

import re

from django.views.debug import SafeExceptionReporterFilter


class SecretSettings(SafeExceptionReporterFilter):
    """Django's filter, which also hides our seeds and the password in Redis's address."""

    _more = "SEED|REDIS_URL|LOCATION"
    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|{_more}", re.IGNORECASE
    )
