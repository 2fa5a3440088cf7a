"""The URLs of the site."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from events.pages.queries import picture_of_draw
from raffles.pages import urls as raffles_pages
from raffles.web.problems import handler400, handler403, handler404, handler500
from rafflesite.health import livez, readyz
from rafflesite.metrics import metrics

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

# Its script is a separate request, as required by the policy against inline scripts.
docs = SpectacularSwaggerSplitView.as_view(template_name="rafflesite/api_docs.html")

_api = [
    path("", include("raffles.api.urls")),
    path("", include("events.api.urls")),
]
_pages = [
    path("", include(raffles_pages.routes("event_pages:event", picture_of_draw))),
    path("", include("events.pages.urls")),
]
_more = [
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", docs, name="docs"),
    path("livez", livez),
    path("readyz", readyz),
    path("metrics", metrics),
]
without_pages = [*_api, *_more]
urlpatterns = [*_api, *_pages, *_more]
