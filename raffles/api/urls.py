"""Addresses of the raffles."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from .views import RaffleViewSet

router = SimpleRouter(use_regex_path=False)
router.register("raffles", RaffleViewSet, basename="raffle")

urlpatterns = router.urls
