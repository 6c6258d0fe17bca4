"""The log is append-only for everybody, and a tenant sees its own entries only."""

from django.db import migrations

from core.tenancy.rls import fence, share

APPEND_ONLY = """
CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit entries are append-only';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_auditentry
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        fence("audit_auditentry", privileges=("SELECT", "INSERT")),
        share("audit_outboxevent", privileges=("INSERT",)),
        migrations.RunSQL(
            APPEND_ONLY,
            reverse_sql="DROP TRIGGER audit_append_only ON audit_auditentry; DROP FUNCTION audit_refuse_change;",
        ),
    ]
