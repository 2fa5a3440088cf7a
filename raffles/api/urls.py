"""URLs of raffles and of the files that verify them."""

from __future__ import annotations

from django.urls import path, re_path
from rest_framework.routers import SimpleRouter

from raffles.api import log
from raffles.api.proofs import KeysView, verifier, verifier_checksum
from raffles.api.views import RaffleViewSet
from raffles.api.witness import AddCheckpointView
from raffles.notifications.stream.serving import stream
from raffles.web.converters import RAFFLE_ID

router = SimpleRouter(use_regex_path=False)
router.register("raffles", RaffleViewSet, basename="raffle")

urlpatterns = [
    *router.urls,
    path("stream/", stream, name="stream"),
    path(f"raffles/{RAFFLE_ID}/stream/", stream, name="raffle-stream"),
    path(".well-known/raffle-keys.json", KeysView.as_view(), name="keys"),
    path("log/checkpoint", log.newest_checkpoint, name="checkpoint"),
    path("log/statements", log.all_statements, name="statements"),
    re_path(log.TILE, log.tile, name="tile"),
    path("witness/add-checkpoint", AddCheckpointView.as_view(), name="add-checkpoint"),
    path("verify.py", verifier, name="verifier"),
    path("verify.py.sha256", verifier_checksum, name="verifier-checksum"),
]
