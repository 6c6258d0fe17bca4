"""Providers, their sealed keys, and the models that tenants may ask for; owns fields and constraints, no rules."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import new_ulid
from proxy.data import ProviderKind


def _id_field() -> models.CharField[str, str]:
    return models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)


class Provider(models.Model):
    """Somebody who answers completions, at a base URL."""

    id = _id_field()
    name = models.CharField(_("name"), max_length=60, unique=True)
    kind = models.CharField(
        _("kind"),
        max_length=20,
        choices=[(ProviderKind.OPENAI, _("OpenAI-compatible")), (ProviderKind.DEMO, _("Simulated"))],
    )
    base_url = models.CharField(_("base URL"), max_length=300, default="", blank=True)
    options = models.JSONField(_("options"), default=dict, blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created"), default=utc_now)

    class Meta:
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        constraints = [
            models.CheckConstraint(
                condition=Q(name__regex=r"^[a-z0-9][a-z0-9._-]{0,59}$"),
                name="provider_name_shape",
                violation_error_message=_("A name has lower-case letters, digits, dots, hyphens and underscores."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class ProviderKey(models.Model):
    """A credential at a provider, sealed; only its end can be shown."""

    id = _id_field()
    provider = models.ForeignKey(Provider, models.CASCADE, related_name="keys", verbose_name=_("provider"))
    name = models.CharField(_("name"), max_length=60, default="main")
    sealed = models.TextField(editable=False)
    last_four = models.CharField(_("ends with"), max_length=4, editable=False)
    set_at = models.DateTimeField(_("set"), default=utc_now)

    class Meta:
        verbose_name = _("provider key")
        verbose_name_plural = _("provider keys")
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "name"],
                name="provider_key_once",
                violation_error_message=_("This provider has a key of that name already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} …{self.last_four}"


class Model(models.Model):
    """A name that tenants may ask for, and what it is called at its provider."""

    id = _id_field()
    name = models.CharField(_("name"), max_length=100, unique=True)
    provider = models.ForeignKey(Provider, models.PROTECT, related_name="models", verbose_name=_("provider"))
    upstream_name = models.CharField(_("name at the provider"), max_length=200)
    kinds = models.JSONField(_("kinds"), default=list)
    context = models.PositiveIntegerField(_("context, tokens"), default=0, help_text=_("0 means unknown."))
    max_output = models.PositiveIntegerField(_("most output, tokens"), default=4096)
    default_output = models.PositiveIntegerField(
        _("output held, tokens"), default=1024, help_text=_("Reserved when a request names no limit of its own.")
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created"), default=utc_now)

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        constraints = [
            models.CheckConstraint(
                condition=Q(name__regex=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$"),
                name="model_name_shape",
                violation_error_message=_("A model's name has letters, digits and . _ : / @ - only."),
            ),
            models.CheckConstraint(
                condition=Q(default_output__gte=1, max_output__gte=models.F("default_output")),
                name="model_output_order",
                violation_error_message=_("The output held is at least 1 and at most the model's most output."),
            ),
        ]

    def __str__(self) -> str:
        return self.name
