"""What is for sale and what it costs the operator; owns fields and constraints, no pricing rule.

A trigger of the database refuses every change of a published plan version and of its prices.
"""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.data import ChargeModel, Meter, PriceTerms
from core.clock import utc_now
from core.ids import new_ulid, prefixed

ZERO = Decimal(0)


def id_field() -> models.CharField[str, str]:
    return models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)


def amount_field(label: str | Promise, **options: object) -> models.DecimalField[Decimal, Decimal]:
    """An exact amount in the currency's major unit."""
    return models.DecimalField(label, max_digits=38, decimal_places=12, **options)  # type: ignore[arg-type]


class Plan(models.Model):
    """A product that tenants subscribe to; what it costs is in its versions."""

    id = id_field()
    code = models.CharField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("description"), max_length=300, default="", blank=True)
    tenant_types = models.JSONField(
        _("for"), default=list, blank=True, help_text=_("Types of tenant that it is meant for; empty: all.")
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    created_at = models.DateTimeField(_("created"), default=utc_now)

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ["position", "code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(code__regex=r"^[a-z][a-z0-9-]{0,39}$"),
                name="plan_code_shape",
                violation_error_message=_(
                    "A plan's code has lower-case letters, digits and hyphens, and starts with a letter."
                ),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return prefixed("plan", self.id)


class PlanVersion(models.Model):
    """The terms of a plan from `published_at` on. A draft can be changed, a published version never."""

    id = id_field()
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="versions", verbose_name=_("plan"))
    number = models.PositiveIntegerField(_("version"))
    code = models.CharField(_("code"), max_length=60, unique=True, help_text=_("Plan and version: pro@2."))
    currency = models.CharField(_("currency"), max_length=3, default="USD")
    monthly_fee = amount_field(_("monthly fee"), default=ZERO)
    created_at = models.DateTimeField(_("created"), default=utc_now)
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True)

    class Meta:
        verbose_name = _("plan version")
        verbose_name_plural = _("plan versions")
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "number"],
                name="plan_version_once",
                violation_error_message=_("This version of the plan is there already."),
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"),
                name="plan_version_currency_shape",
                violation_error_message=_("A currency is written as three capital letters."),
            ),
            models.CheckConstraint(
                condition=Q(monthly_fee__gte=0),
                name="plan_version_fee_not_negative",
                violation_error_message=_("A monthly fee cannot be negative."),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Price(models.Model):
    """What a plan version asks for the units of one meter, of one model or of all."""

    id = id_field()
    plan_version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="prices", verbose_name=_("plan version"))
    meter = models.CharField(
        _("meter"),
        max_length=20,
        choices=[
            (Meter.INPUT_TOKENS, _("Input tokens")),
            (Meter.CACHED_TOKENS, _("Cached input tokens")),
            (Meter.OUTPUT_TOKENS, _("Output tokens")),
            (Meter.REQUESTS, _("Requests")),
        ],
    )
    model = models.CharField(
        _("model"), max_length=200, default="*", help_text=_("* stands for each model without its own price.")
    )
    charge_model = models.CharField(
        _("charge model"),
        max_length=16,
        choices=[
            (ChargeModel.PER_UNIT, _("Per unit")),
            (ChargeModel.GRADUATED, _("Graduated")),
            (ChargeModel.VOLUME, _("Volume")),
            (ChargeModel.PACKAGE, _("Package")),
        ],
    )
    included_units = models.DecimalField(_("included units"), max_digits=26, decimal_places=6, default=ZERO)
    package_size = models.DecimalField(_("package size"), max_digits=26, decimal_places=6, default=Decimal(1))
    tiers = models.JSONField(
        _("tiers"), help_text=_("List of up_to (inclusive, null for the last), unit_amount and flat_amount.")
    )

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        constraints = [
            models.UniqueConstraint(
                fields=["plan_version", "meter", "model"],
                name="price_once",
                violation_error_message=_("This plan version has a price for that meter and model already."),
            ),
            models.CheckConstraint(
                condition=Q(included_units__gte=0) & Q(package_size__gt=0),
                name="price_units_positive",
                violation_error_message=_("Included units cannot be negative, a package cannot be empty."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.meter} {self.model}"

    @property
    def terms(self) -> PriceTerms:
        """The price as the rating engine takes it."""
        return PriceTerms.from_dict(
            {
                "charge_model": self.charge_model,
                "tiers": self.tiers,
                "included_units": self.included_units,
                "package_size": self.package_size,
            }
        )


class ModelCost(models.Model):
    """What the operator pays a provider for one token of a model, from `effective_from` on. Rows are added only."""

    id = id_field()
    provider = models.CharField(_("provider"), max_length=100)
    model = models.CharField(_("model"), max_length=200)
    version = models.PositiveIntegerField(_("version"))
    effective_from = models.DateTimeField(_("effective from"))
    currency = models.CharField(_("currency"), max_length=3, default="USD")
    input_token = amount_field(_("per input token"))
    cached_token = amount_field(_("per cached input token"))
    output_token = amount_field(_("per output token"))
    created_at = models.DateTimeField(_("created"), default=utc_now)

    class Meta:
        verbose_name = _("model cost")
        verbose_name_plural = _("model costs")
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "model", "version"],
                name="model_cost_once",
                violation_error_message=_("This version of the model's cost is there already."),
            ),
            models.UniqueConstraint(
                fields=["provider", "model", "effective_from"],
                name="model_cost_one_at_a_time",
                violation_error_message=_("Another cost of this model begins at the same moment."),
            ),
            models.CheckConstraint(
                condition=Q(input_token__gte=0) & Q(cached_token__gte=0) & Q(output_token__gte=0),
                name="model_cost_not_negative",
                violation_error_message=_("A cost cannot be negative."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.model} v{self.version}"
