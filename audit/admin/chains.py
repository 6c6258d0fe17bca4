"""The operators' view of the hash chains: how long, how far sealed and checked; check, export, adopt."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from audit.acting import operator_actor
from audit.chain.export import LONGEST_PART, export_part
from audit.chain.links import PLATFORM
from audit.chain.sealing import adopt_chain, seal_waiting
from audit.chain.verification import check_chain
from audit.models import ChainHead, WaitingEntry
from core.admin import (
    EMPTY,
    Choice,
    Confirmation,
    Question,
    ReadOnlyAdmin,
    ReasonForm,
    action,
    ago,
    confirm,
    display,
    dotted,
    public_link,
    tell,
)
from core.clock import utc_now
from core.errors import LumosError, NotFound

_STATES = {"sound": "success", "behind": "info", "never": "default", "broken": "danger"}
_MOST_AT_ONCE = 100_000  # a longer chain takes longer than a page should; the command has no such bound


class ChainTooLong(LumosError):
    code = "chain_too_long"
    title = "This chain is too long for a page; use ./lumos audit"


class DoesItHold(Question):
    title = _("does it hold?")
    parameter_name = "holds"
    _old: ClassVar[timedelta] = timedelta(days=2)

    @classmethod
    def current_answers(cls) -> tuple[Choice, ...]:
        old = Q(verified_at__lt=utc_now() - cls._old) | Q(verified_at=None)
        return (
            Choice("no", _("No: a check found a fault"), ~Q(fault="")),
            Choice("frozen", _("No: it is frozen"), Q(frozen=True)),
            Choice("unknown", _("Unknown: not checked for two days"), old),
            Choice("yes", _("Yes"), Q(fault="") & ~old),
        )


@admin.register(ChainHead)
class ChainHeadAdmin(ReadOnlyAdmin):
    list_display = ("chain_shown", "length", "state", "waiting", "last_sealed", "last_checked")
    list_filter = (DoesItHold,)
    search_fields = ("chain",)
    search_help_text = _("Tenant id, or platform")
    public_kind = "ten"
    ordering = ("-sealed_at",)
    fields = (
        *("chain", "sequence", "hash", "sealed_at", "key_id", "signature"),
        *("frozen", "fault", "verified_at", "verified_sequence"),
    )
    actions_detail = ("verify", "export", "adopt")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChainHead]:
        tail = WaitingEntry.objects.filter(chain=OuterRef("pk")).order_by().values("chain").annotate(n=Count("pk"))
        rows: QuerySet[ChainHead] = super().get_queryset(request)
        return rows.annotate(tail=Subquery(tail.values("n")), unchecked=F("sequence") - F("verified_sequence"))

    @display(description=_("chain"), ordering="chain")
    def chain_shown(self, head: ChainHead) -> str:
        return str(_("Platform")) if head.chain == PLATFORM else public_link("tenants_tenant_change", "ten", head.chain)

    @display(description=_("entries"), ordering="sequence")
    def length(self, head: ChainHead) -> str:
        return dotted(head.sequence)

    @display(description=_("state"), label=_STATES)
    def state(self, head: ChainHead) -> tuple[str, str]:
        if head.fault or head.frozen:
            return "broken", str(_("Broken"))
        if head.verified_at is None:
            return "never", str(_("Not checked yet"))
        unchecked: int = head.unchecked  # type: ignore[attr-defined]
        return ("behind", _("Holds, %(n)s newer") % {"n": unchecked}) if unchecked else ("sound", str(_("Holds")))

    @display(description=_("waiting to be sealed"))
    def waiting(self, head: ChainHead) -> str:
        return dotted(head.tail or 0)  # type: ignore[attr-defined]

    @display(description=_("sealed"), ordering="sealed_at")
    def last_sealed(self, head: ChainHead) -> str:
        return ago(head.sealed_at)

    @display(description=_("checked"), ordering="verified_at")
    def last_checked(self, head: ChainHead) -> str:
        return EMPTY if head.verified_at is None else ago(head.verified_at)

    @action(description=_("Check now …"), icon="verified", permissions=["view"])
    def verify(self, request: HttpRequest, object_id: str) -> HttpResponse:
        what = Confirmation(
            title=str(_("Check the chain")),
            consequence=str(
                _("Every entry is read and compared with its link, the head and the heads that were kept.")
            ),
            submit=str(_("Check")),
            done=lambda n: ngettext("%(n)s chain was checked.", "%(n)s chains were checked.", n) % {"n": n},
        )

        def perform(head: ChainHead, form: forms.Form) -> None:
            if head.sequence > _MOST_AT_ONCE:
                raise ChainTooLong()
            report = check_chain(chain=head.chain, acting=operator_actor(request.user), now=utc_now())
            if report.fault:
                messages.error(request, report.fault.sentence)

        return confirm(self, request, self._rows(request, object_id), what, perform)

    @action(description=_("Export"), icon="download", permissions=["view"])
    def export(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The chain as a file; the command exports what is longer than one part."""
        seal_waiting(now=utc_now())
        head = ChainHead.objects.filter(pk=object_id).first()
        if head is None or head.sequence > LONGEST_PART:
            tell(request, ChainTooLong() if head else NotFound())
            return self.to_list("audit_chainhead")
        lines = export_part(object_id, acting=operator_actor(request.user))
        answer = HttpResponse("".join(f"{line}\n" for line in lines), content_type="application/x-ndjson")
        answer["Content-Disposition"] = f'attachment; filename="audit-{object_id}.jsonl"'
        answer["Cache-Control"] = "no-store"
        return answer

    @action(description=_("Adopt …"), icon="approval", permissions=["operate"])
    def adopt(self, request: HttpRequest, object_id: str) -> HttpResponse:
        what = Confirmation(
            title=str(_("Adopt the chain as it stands")),
            consequence=str(
                _(
                    "Its head is signed anew and new entries are sealed behind it. Do this only when it is known why"
                    " the signature did not hold. Your name and reason become part of the chain."
                )
            ),
            submit=str(_("Adopt")),
            done=lambda n: ngettext("%(n)s chain goes on.", "%(n)s chains go on.", n) % {"n": n},
            form_class=ReasonForm,
            danger=True,
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(head: ChainHead, form: Any) -> None:
            adopt_chain(chain=head.chain, reason=form.whole_reason, acting=acting, now=now)

        return confirm(self, request, self._rows(request, object_id), what, perform)

    def _rows(self, request: HttpRequest, object_id: str) -> list[ChainHead]:
        return list(self.get_queryset(request).filter(pk=object_id))
