"""What a tenant's role sees of billing, what nobody can change, and room for rows that are updated often."""

from django.db import migrations

from core.tenancy.rls import GROUP, fence, share

# A tenant sees its usage and charges; what the operator pays for it is none of its business.
EVENT_COLUMNS = (
    "id, occurred_at, tenant_id, key_id, model, provider, endpoint, status, input_tokens, cached_tokens,"
    " output_tokens, latency_ms, first_token_ms, price_version, estimated, live, subscription_id, charge, ingested_at"
)
ROLLUP_COLUMNS = (
    "id, tenant_id, grain, starts_at, model, provider, key_id, live, requests, failures, input_tokens, cached_tokens,"
    " output_tokens, latency_ms, charge, unpriced"
)


def show(table, columns):
    return migrations.RunSQL(
        f"GRANT SELECT ({columns}) ON {table} TO {GROUP};",
        reverse_sql=f"REVOKE SELECT ({columns}) ON {table} FROM {GROUP};",
    )


PUBLISHED_IS_FINAL = """
CREATE FUNCTION billing_refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.published_at IS NULL THEN
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' OR (NEW.id, NEW.plan_id, NEW.number, NEW.code, NEW.currency, NEW.monthly_fee, NEW.published_at)
      IS DISTINCT FROM (OLD.id, OLD.plan_id, OLD.number, OLD.code, OLD.currency, OLD.monthly_fee, OLD.published_at) THEN
    RAISE EXCEPTION 'plan version % is published and never changes', OLD.code USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_version_is_final BEFORE UPDATE OR DELETE ON billing_planversion
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_version_change();

CREATE FUNCTION billing_refuse_price_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM billing_planversion v WHERE v.published_at IS NOT NULL AND
      ((TG_OP <> 'INSERT' AND v.id = OLD.plan_version_id) OR (TG_OP <> 'DELETE' AND v.id = NEW.plan_version_id))) THEN
    RAISE EXCEPTION 'prices of a published plan version never change' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_price_is_final BEFORE INSERT OR UPDATE OR DELETE ON billing_price
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_price_change();

CREATE FUNCTION billing_refuse_cost_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'model costs are added, never changed' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER billing_cost_is_final BEFORE UPDATE OR DELETE ON billing_modelcost
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_cost_change();
"""

UNDO_FINAL = """
DROP TRIGGER billing_version_is_final ON billing_planversion;
DROP TRIGGER billing_price_is_final ON billing_price;
DROP TRIGGER billing_cost_is_final ON billing_modelcost;
DROP FUNCTION billing_refuse_version_change; DROP FUNCTION billing_refuse_price_change;
DROP FUNCTION billing_refuse_cost_change;
"""

# Each batch of the ingest updates the same few rows: room in the page keeps these updates off the indexes.
ROOM = """
ALTER TABLE billing_usagerollup SET (fillfactor = 70);
ALTER TABLE billing_periodposition SET (fillfactor = 70);
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [
        share("billing_plan"),
        share("billing_planversion"),
        share("billing_price"),
        fence("billing_subscription"),
        fence("billing_periodposition"),
        fence("billing_usageevent", privileges=()),
        show("billing_usageevent", EVENT_COLUMNS),
        fence("billing_usagerollup", privileges=()),
        show("billing_usagerollup", ROLLUP_COLUMNS),
        fence("billing_pendingcorrection", privileges=()),
        migrations.RunSQL(PUBLISHED_IS_FINAL, reverse_sql=UNDO_FINAL),
        migrations.RunSQL(ROOM, reverse_sql=migrations.RunSQL.noop),
    ]
