"""The stage: winners for a projector, and for the staff a way to replace who is not there."""

from __future__ import annotations

from uuid import UUID

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from raffles.api.problems import STATUS
from raffles.domain.refusals import Refusal
from raffles.domain.replacing import replace_winner
from rafflesite.records import staff

from .forms import ReplacementForm
from .page import page
from .reading import raffle_to_show


@require_safe
@page
def stage(request: HttpRequest, raffle_id: UUID) -> HttpResponse:
    """The stage for anybody: it looks, it changes nothing."""
    return render(request, "raffles/stage.html", {"raffle": raffle_to_show(raffle_id)})


# Under /admin/, where the staff are logged in; elsewhere nobody has a session.
@staff_member_required
@permission_required("raffles.add_replacement", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
@page
def operated_stage(request: HttpRequest, raffle_id: UUID) -> HttpResponse:
    """The stage with a form that gives an absent winner's prize to the next alternate."""
    shown = raffle_to_show(raffle_id)
    if request.method != "POST":
        context = {"raffle": shown, "form": ReplacementForm()}
        return render(request, "raffles/stage.html", context)
    form = ReplacementForm(request.POST)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=400)
    try:
        line = replace_winner(raffle_id, **form.cleaned_data, now=timezone.now(), by=staff(request))
    except Refusal as refusal:
        return JsonResponse({"detail": refusal.sentence}, status=STATUS[type(refusal)])
    return JsonResponse(line.public(), status=201)
