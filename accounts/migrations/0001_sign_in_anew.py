"""Everybody signs in once more: sessions from before are in no list, so nobody could see or end them."""

from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    dependencies = [("sessions", "0001_initial")]

    operations = [migrations.RunSQL("DELETE FROM django_session", migrations.RunSQL.noop)]
