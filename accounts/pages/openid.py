"""To a tenant's identity provider and back; both by links, because a browser lets no form lead to another site.

Tying begins by a form nevertheless, whose answer holds the link: by a mere link any site could tie its visitors.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.pages.face import Face, account_of, fresh_only, on_platform, safe_address
from accounts.services.identities import begin_at_provider, finish_at_provider
from core.clock import utc_now
from core.errors import LumosError


@never_cache
@require_GET
@on_platform
def go(request: HttpRequest, face: Face) -> HttpResponse:
    back_to = safe_address(request, request.GET.get("next", ""), face.address(face.home))
    try:
        return HttpResponseRedirect(_address(request, face, back_to, None))
    except LumosError as error:
        return face.draw(request, "refused", error)


@never_cache
@require_POST
@on_platform
@fresh_only
def tie(request: HttpRequest, face: Face) -> HttpResponse:
    """Let who is signed in here come in through the provider from now on."""
    try:
        address = _address(request, face, face.address("security"), account_of(request).pk)
    except LumosError as error:
        return face.draw(request, "refused", error)
    return face.draw(request, "tie", address=address)


def _address(request: HttpRequest, face: Face, back_to: str, tie_to: int | None) -> str:
    """Where the browser is to go. Raises NoProvider and ProviderFailed."""
    place, returns = face.place(request), redirect_uri(request, face)
    return begin_at_provider(request, place=place, redirect_uri=returns, back_to=back_to, tie_to=tie_to, now=utc_now())


@never_cache
@require_GET
@on_platform
def back(request: HttpRequest, face: Face) -> HttpResponse:
    try:
        done, back_to = finish_at_provider(
            request, place=face.place(request), redirect_uri=redirect_uri(request, face), now=utc_now()
        )
    except LumosError as error:
        return face.draw(request, "refused", error)
    if not done:
        return face.to("sign_in_code")
    if back_to == face.address("security"):
        messages.success(request, _("You can sign in through the identity provider now."))
    return HttpResponseRedirect(safe_address(request, back_to, face.address(face.home)))


def redirect_uri(request: HttpRequest, face: Face) -> str:
    """What the provider must know as ours: this host's own."""
    return f"{face.place(request).origin}{face.address('openid_back')}"
