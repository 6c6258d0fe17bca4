"""Base classes of the operators' pages; owns how lists page and how refusals are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.options import ModelAdmin as DjangoModelAdmin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter, TextFilter
from unfold.paginator import InfinitePaginator

from core.errors import LumosError


def tell(request: HttpRequest, error: LumosError) -> None:
    """Show a refusal: what happened, and what can be done about it."""
    messages.error(request, " ".join(str(part) for part in (error.message, error.next_step) if part))


class LumosModelAdmin(ModelAdmin):  # type: ignore[misc]
    """Writes go through services in `save_model`; what a service refuses is shown and changes nothing.

    The admin's own log is not written: it would keep names for ever, and the audit log has every change.
    """

    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = True
    list_fullwidth = True
    compressed_fields = True
    warn_unsaved_form = True
    public_kind = ""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Ids may be pasted as the API shows them, with their prefix."""
        bare = search_term.removeprefix(f"{self.public_kind}_") if self.public_kind else search_term
        found: tuple[QuerySet[Any], bool] = super().get_search_results(request, queryset, bare)
        return found

    def has_operate_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """For actions: the account may change such rows, even where no form edits them."""
        opts = self.model._meta
        return bool(request.user.has_perm(f"{opts.app_label}.change_{opts.model_name}"))

    def get_urls(self) -> list[URLPattern]:
        """Without the pages of the admin's own log."""
        history = f"{self.opts.app_label}_{self.opts.model_name}_history"
        return [url for url in super().get_urls() if url.name != history]

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Nothing."""

    def to_list(self, page: str, **query: str) -> HttpResponseRedirect:
        """Off to another list, filtered; `page` is like `audit_auditentry`."""
        return HttpResponseRedirect(reverse(f"admin:{page}_changelist", query=query))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            answer: HttpResponse = super().changeform_view(request, *args, **kwargs)
        except LumosError as error:
            tell(request, error)
            return HttpResponseRedirect(request.get_full_path())
        return answer


class ReadOnlyAdmin(LumosModelAdmin):
    """Rows that only the system writes: shown, never changed; without a count, since they are many."""

    paginator = InfinitePaginator
    actions: Sequence[str] | None = None
    list_disable_select_all = True
    show_facets = ShowFacets.NEVER

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to a list's question: its name in the URL, its text, and the rows that it keeps."""

    name: str
    text: Any
    rows: Q


class Question(DropdownFilter):  # type: ignore[misc]
    """A filter asked in the operator's words; subclasses give title, parameter_name and `answers`."""

    answers: ClassVar[Sequence[Choice]] = ()

    @classmethod
    def current_answers(cls) -> Sequence[Choice]:
        """Override where an answer depends on the present time."""
        return cls.answers

    def lookups(self, request: HttpRequest, model_admin: DjangoModelAdmin[Any]) -> list[tuple[str, Any]]:
        return [(answer.name, answer.text) for answer in self.current_answers()]

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """The theme says "By …" before each title; a question stands for itself."""
        for choice in super().choices(changelist):
            choice["form"].fields[self.parameter_name].label = capfirst(self.title)
            yield choice

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        for answer in self.current_answers():
            if answer.name == self.value():
                return queryset.filter(answer.rows)
        return queryset


class OfTenant(TextFilter):  # type: ignore[misc]
    """For tables that keep a tenant's id without a foreign key."""

    title = _("tenant (ten_ id)")
    parameter_name = "tenant"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        given = self.value()
        return queryset.filter(tenant_id=given.strip().removeprefix("ten_")) if given else queryset
