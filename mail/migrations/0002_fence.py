"""No tenant's role reads or writes mail: it may hold what opens somebody else's account."""

from django.db import migrations

from core.tenancy.rls import fence


class Migration(migrations.Migration):
    dependencies = [("mail", "0001_initial")]

    operations = [fence("mail_outgoingmail", privileges=())]
