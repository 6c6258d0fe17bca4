"""Whether a second factor opened the session. Of those that are open nobody knows, so they count as without."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0015_impersonation'),
    ]

    operations = [
        migrations.AddField(
            model_name='apisession',
            name='factor',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
