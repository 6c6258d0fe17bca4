"""What a tenant's own role may see and write of the shared tables."""

from django.db import migrations

from core.tenancy.rls import fence


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [
        fence("tenants_tenant", column="id"),
        fence("tenants_domain"),
        fence("tenants_membership"),
        fence("tenants_apikey", privileges=("SELECT", "INSERT", "UPDATE (revoked_at)")),
    ]
