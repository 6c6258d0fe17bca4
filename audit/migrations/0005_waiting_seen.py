"""A tenant sees how many of its own entries wait to be sealed."""

from django.db import migrations

from core.tenancy.rls import fence


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_chains")]

    operations = [fence("audit_waitingentry", column="chain")]
