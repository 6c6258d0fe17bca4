"""Who has an identity signs in once more: sessions from before do not say whether a provider opened them.

So they would outlive a provider that is removed.
"""

from django.db import migrations

# Without a dependency on the list of sessions, which workers do not have: where its table comes later it is empty.
END_UNMARKED = """
DO $$ BEGIN
  IF to_regclass('public.usersessions_usersession') IS NOT NULL THEN
    WITH ended AS (
      DELETE FROM public.usersessions_usersession
      WHERE user_id IN (SELECT user_id FROM public.accounts_identity) AND NOT data ? 'provider'
      RETURNING session_key
    )
    DELETE FROM public.django_session WHERE session_key IN (SELECT session_key FROM ended);
  END IF;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_identities_fence"), ("sessions", "0001_initial")]

    operations = [migrations.RunSQL(END_UNMARKED, migrations.RunSQL.noop)]
