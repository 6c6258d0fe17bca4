"""A tenant reads its own limits and alerts, and what its type and plan grant to everybody."""

from django.db import migrations

from core.tenancy.rls import fence, share


class Migration(migrations.Migration):
    dependencies = [("quotas", "0001_initial")]

    operations = [
        fence("quotas_tenantlimit"),
        fence("quotas_quotaalert"),
        share("quotas_typelimit"),
        share("quotas_planlimit"),
    ]
