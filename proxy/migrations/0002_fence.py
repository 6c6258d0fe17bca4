"""What a tenant's role sees of the catalogue: models, and whose they are; never where providers are or their keys."""

from django.db import migrations

from core.tenancy.rls import GROUP, share


class Migration(migrations.Migration):
    dependencies = [("proxy", "0001_initial")]

    operations = [
        share("proxy_model"),
        migrations.RunSQL(
            f"GRANT SELECT (id, name, kind, enabled) ON proxy_provider TO {GROUP};",
            reverse_sql=f"REVOKE SELECT (id, name, kind, enabled) ON proxy_provider FROM {GROUP};",
        ),
    ]
