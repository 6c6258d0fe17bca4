"""Decisions stay as they were written while their tenant lives; a deletion takes them along, for they name it."""

from django.db import migrations

_FUNCTION = """
CREATE OR REPLACE FUNCTION scaling_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  {exception}IF OLD.changed OR (TG_OP = 'UPDATE' AND NEW.changed) THEN
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
"""
_LEAVING = """IF TG_OP = 'DELETE' AND EXISTS (
    SELECT 1 FROM public.tenants_tenant WHERE id = OLD.tenant_id AND status IN ('DELETING', 'DELETED')
  ) THEN
    RETURN OLD;
  END IF;
  """


class Migration(migrations.Migration):
    dependencies = [("scaling", "0002_fence"), ("tenants", "0002_fence")]

    operations = [
        migrations.RunSQL(_FUNCTION.format(exception=_LEAVING), reverse_sql=_FUNCTION.format(exception="")),
    ]
