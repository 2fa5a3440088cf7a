"""Databases as each release left them, from which every later version must upgrade."""

from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent

# Nobody's: what they sign is of no worth to anyone.
KEYS: Final = {
    "SECRET_KEY": "release" * 10,
    "TICKET_KEY": "1e" * 32,
    "RECEIPT_KEY": "5a" * 32,
}
ENVIRONMENT: Final = KEYS | {
    "DJANGO_SETTINGS_MODULE": "rafflesite.settings",
    "ENV_FILE": "",
    "DEBUG": "off",
    "MANAGER_IPS": "123.123.123.123",
    "TRUSTED_PROXIES": "",
    "PUBLIC_URL": "http://testserver",
    "LOG_ORIGIN": "draws.example.org/log",
    "LOG_LEVEL": "WARNING",
    "DRAW_ENTROPY": "system",
    **dict.fromkeys(("COSIGNERS", "TIMESTAMP_AUTHORITIES", "REDIS_URL"), ""),
    **dict.fromkeys(("THROTTLE_ENTRY", "THROTTLE_VERIFY", "THROTTLE_FILES"), ""),
}
