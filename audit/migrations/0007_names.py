"""Whom entries name moves out of the rows that nobody may change, into rows that go with the tenant or account.

Entries that were written before keep what they say: their digests are on the chains.
"""

import django.db.models.deletion
from django.db import migrations, models

from core.tenancy.rls import fence

GUARDS = """
CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit_entrynames
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_entrynames
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
REVOKE UPDATE, TRUNCATE ON audit_entrynames FROM CURRENT_USER;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_outbox_attempts")]

    operations = [
        migrations.CreateModel(
            name="EntryNames",
            fields=[
                (
                    "entry",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="names",
                        serialize=False,
                        to="audit.auditentry",
                    ),
                ),
                ("entry_at", models.DateTimeField()),
                ("tenant_id", models.CharField(blank=True, default="", max_length=26)),
                ("account_id", models.CharField(blank=True, default="", max_length=64)),
                ("key", models.CharField(max_length=64)),
                ("actor_label", models.CharField(blank=True, default="", max_length=200)),
                ("target", models.CharField(blank=True, default="", max_length=200)),
                ("reason", models.TextField(blank=True, default="")),
                ("values", models.JSONField(blank=True, default=dict)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant_id"], name="audit_names_by_tenant"),
                    models.Index(
                        fields=["account_id"],
                        name="audit_names_by_account",
                        condition=models.Q(("account_id", ""), _negated=True),
                    ),
                    models.Index(fields=["entry_at"], name="audit_names_by_time"),
                ]
            },
        ),
        fence("audit_entrynames", privileges=("SELECT", "INSERT")),
        migrations.RunSQL(GUARDS, reverse_sql=migrations.RunSQL.noop),
    ]
