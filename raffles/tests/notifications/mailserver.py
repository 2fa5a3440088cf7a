"""A mail server on this machine: it keeps what it is sent, refuses, or stalls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from typing import Any


@dataclass(frozen=True)
class Mail:
    """One mail as the server took it."""

    to: list[str]
    message: Message

    def part(self, kind: str) -> str:
        for part in self.message.walk():
            if part.get_content_type() == kind:
                return bytes(part.get_payload(decode=True)).decode()
        raise LookupError(kind)


class MailServer:
    """Takes every mail, or answers with what `refusal` says."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refusal = ""
        self.stalls = 0.0

    async def handle_RCPT(self, _s: Any, _e: Any, envelope: Any, to: str, _o: Any) -> str:  # noqa: N802
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        await asyncio.sleep(self.stalls)
        self.mails.append(Mail(envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 Message accepted"
