"""Hash chains over the log: what waits to be sealed, the links, the signed heads."""

from django.db import migrations, models

from core.tenancy.rls import fence

GUARDS = """
CREATE FUNCTION audit_note_waiting() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO public.audit_waitingentry (chain, entry_id, entry_at)
    VALUES (coalesce(nullif(NEW.tenant_id, ''), 'platform'), NEW.id, NEW.at);
  RETURN NULL;
END $$;
CREATE TRIGGER audit_waits AFTER INSERT ON audit_auditentry FOR EACH ROW EXECUTE FUNCTION audit_note_waiting();

CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_auditlink
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_auditlink
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();

CREATE FUNCTION audit_refuse_shorter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.chain <> OLD.chain OR NEW.sequence < OLD.sequence OR (NEW.sequence = OLD.sequence AND NEW.hash <> OLD.hash) THEN
    RAISE EXCEPTION 'the audit log is append-only: the head of chain % moves forward only', OLD.chain
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER audit_forward_only BEFORE UPDATE ON audit_chainhead
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_shorter();
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit_chainhead
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_chainhead
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();

REVOKE UPDATE, DELETE, TRUNCATE ON audit_auditlink FROM CURRENT_USER;
REVOKE DELETE, TRUNCATE ON audit_chainhead FROM CURRENT_USER;

INSERT INTO audit_waitingentry (chain, entry_id, entry_at)
  SELECT coalesce(nullif(tenant_id, ''), 'platform'), id, at FROM audit_auditentry ORDER BY at, id;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_monthly_log")]

    operations = [
        migrations.CreateModel(
            name="AuditLink",
            fields=[
                ("pk", models.CompositePrimaryKey("chain", "sequence", blank=True, editable=False, primary_key=True, serialize=False)),
                ("chain", models.CharField(max_length=26)),
                ("sequence", models.BigIntegerField()),
                ("entry_id", models.CharField(max_length=26, unique=True)),
                ("entry_at", models.DateTimeField()),
                ("digest", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name="ChainHead",
            fields=[
                ("chain", models.CharField(max_length=26, primary_key=True, serialize=False, verbose_name="chain")),
                ("sequence", models.BigIntegerField(default=0, verbose_name="entries")),
                ("hash", models.CharField(max_length=64, verbose_name="hash")),
                ("sealed_at", models.DateTimeField(verbose_name="sealed")),
                ("key_id", models.CharField(max_length=40, verbose_name="signing key")),
                ("signature", models.CharField(max_length=128, verbose_name="signature")),
                ("frozen", models.BooleanField(default=False, verbose_name="frozen")),
                ("witnessed", models.BigIntegerField(default=0)),
                ("verified_at", models.DateTimeField(null=True, verbose_name="checked")),
                ("verified_sequence", models.BigIntegerField(default=0, verbose_name="entries checked")),
                ("fault", models.TextField(blank=True, default="", verbose_name="fault")),
            ],
            options={"verbose_name": "audit chain", "verbose_name_plural": "audit chains"},
        ),
        migrations.CreateModel(
            name="WaitingEntry",
            fields=[
                ("position", models.BigAutoField(primary_key=True, serialize=False)),
                ("chain", models.CharField(max_length=26)),
                ("entry_id", models.CharField(max_length=26)),
                ("entry_at", models.DateTimeField()),
            ],
        ),
        fence("audit_auditlink", column="chain"),
        fence("audit_chainhead", column="chain"),
        migrations.RunSQL(GUARDS),
    ]
