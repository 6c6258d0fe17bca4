"""No tenant's role reads or writes providers and identities: they decide who gets in."""

from django.db import migrations

from core.tenancy.rls import fence


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_identities")]

    operations = [
        fence("accounts_identityprovider", privileges=()),
        fence("accounts_identity", privileges=()),
    ]
