"""The log becomes a table with monthly partitions, says more of each change, and is closed to its owner too.

There is no way back: a log that could be turned into a plain table again would not be append-only.
"""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import migrations, models

import core.clock
from audit.upkeep import ENTRIES, MONTHS_AHEAD
from core.clock import utc_now
from core.partitions import month_after, month_of, months_from
from core.tenancy.rls import fence

OUT_OF_THE_WAY = """
ALTER TABLE audit_auditentry RENAME TO audit_auditentry_old;
DROP POLICY tenant_fence ON audit_auditentry_old;
DROP POLICY platform ON audit_auditentry_old;
ALTER TABLE audit_auditentry_old NO FORCE ROW LEVEL SECURITY;
CREATE TABLE audit_auditentry (
  id varchar(26) NOT NULL,
  at timestamptz NOT NULL,
  tenant_id varchar(26) NOT NULL,
  actor_kind varchar(16) NOT NULL,
  actor_id varchar(64) NOT NULL,
  actor_label varchar(200) NOT NULL,
  action varchar(80) NOT NULL,
  target varchar(200) NOT NULL,
  reason text NOT NULL,
  before jsonb,
  after jsonb,
  detail jsonb NOT NULL,
  request_id varchar(64) NOT NULL,
  CONSTRAINT audit_entry_key PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE INDEX audit_entry_by_tenant ON audit_auditentry (tenant_id, at DESC);
CREATE INDEX audit_entry_by_time ON audit_auditentry (at DESC, id DESC);

CREATE OR REPLACE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only: % of % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_auditentry
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_auditentry
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
"""

BACK_IN = """
INSERT INTO audit_auditentry
  (id, at, tenant_id, actor_kind, actor_id, actor_label, action, target, reason, before, after, detail, request_id)
SELECT id, at, tenant_id, actor_kind, actor_id, actor_label, action, target, '', NULL, NULL, detail, ''
FROM audit_auditentry_old ORDER BY at, id;
DROP TABLE audit_auditentry_old;
"""

# Its owner has every right to a table but those taken from it here. It could grant them to itself again: grants and
# triggers stop mistakes and stolen sessions of the application, the signed heads find what a master of the server did.
CLOSED = "REVOKE UPDATE, DELETE, TRUNCATE ON audit_auditentry FROM CURRENT_USER;"


def make_partitions(apps, schema_editor):
    now = utc_now()
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT min(at) FROM audit_auditentry_old")
        (oldest,) = cursor.fetchone()
    month, last = month_of(min(oldest or now, now)), month_of(now)
    ENTRIES.ensure(months_from(month, _months_between(month, last) + 1 + MONTHS_AHEAD))


def _months_between(month, last):
    count = 0
    while month < last:
        month, count = month_after(month), count + 1
    return count


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_fence")]

    operations = [
        migrations.RunSQL(OUT_OF_THE_WAY),
        migrations.RunPython(make_partitions),
        migrations.RunSQL(BACK_IN),
        fence("audit_auditentry", privileges=("SELECT", "INSERT")),
        migrations.RunSQL(CLOSED),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex("auditentry", "audit_by_tenant"),
                migrations.AlterField(
                    "auditentry", "at", models.DateTimeField(default=core.clock.utc_now, verbose_name="when")
                ),
                migrations.AlterField(
                    "auditentry",
                    "detail",
                    models.JSONField(blank=True, default=dict, encoder=DjangoJSONEncoder, verbose_name="detail"),
                ),
                migrations.AddField(
                    "auditentry", "reason", models.TextField(blank=True, default="", verbose_name="reason")
                ),
                migrations.AddField(
                    "auditentry", "before", models.JSONField(encoder=DjangoJSONEncoder, null=True, verbose_name="before")
                ),
                migrations.AddField(
                    "auditentry", "after", models.JSONField(encoder=DjangoJSONEncoder, null=True, verbose_name="after")
                ),
                migrations.AddField(
                    "auditentry",
                    "request_id",
                    models.CharField(blank=True, default="", max_length=64, verbose_name="request"),
                ),
                migrations.AddIndex(
                    "auditentry", models.Index(fields=["tenant_id", "-at"], name="audit_entry_by_tenant")
                ),
                migrations.AddIndex("auditentry", models.Index(fields=["-at", "-id"], name="audit_entry_by_time")),
            ]
        ),
    ]
