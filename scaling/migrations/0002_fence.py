"""A tenant reads its own scaling only; a stored change stays as it was written."""

from django.db import migrations

from core.tenancy.rls import fence

APPEND_ONLY = """
CREATE FUNCTION scaling_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.changed OR (TG_OP = 'UPDATE' AND NEW.changed) THEN
    RAISE EXCEPTION 'scaling decisions that changed something are append-only';
  END IF;
  IF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;
  IF (NEW.id, NEW.tenant_id, NEW.first_at) IS DISTINCT FROM (OLD.id, OLD.tenant_id, OLD.first_at) THEN
    RAISE EXCEPTION 'a rolled-up scaling decision only grows';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER scaling_append_only BEFORE UPDATE OR DELETE ON scaling_scalingdecision
  FOR EACH ROW EXECUTE FUNCTION scaling_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("scaling", "0001_initial")]

    operations = [
        fence("scaling_scalingpolicy"),
        fence("scaling_scalingdecision"),
        fence("scaling_scalingtarget"),
        migrations.RunSQL(
            APPEND_ONLY,
            reverse_sql="DROP TRIGGER scaling_append_only ON scaling_scalingdecision;"
            " DROP FUNCTION scaling_refuse_change;",
        ),
    ]
