"""Every address of the site."""

from django.contrib import admin
from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from rafflesite.health import livez, readyz
from rafflesite.problems import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("livez", livez),
    path("readyz", readyz),
]
