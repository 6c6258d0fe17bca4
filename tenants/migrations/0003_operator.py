"""Operators get fixed roles. Who was all-powerful stays so; other staff may look, until somebody gives them more."""

import core.clock
import core.ids
import django.db.models.deletion
import tenants.roles
from django.conf import settings
from django.db import migrations, models


def give_roles(apps, schema_editor):
    account, operator = apps.get_model("auth", "User"), apps.get_model("tenants", "Operator")
    for user in account.objects.filter(is_staff=True):
        operator.objects.create(user_id=user.pk, role="SUPER" if user.is_superuser else "READ_ONLY")


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0002_fence'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Operator',
            fields=[
                ('id', models.CharField(default=core.ids.new_ulid, editable=False, max_length=26, primary_key=True, serialize=False)),
                ('role', models.CharField(choices=[(tenants.roles.OperatorRole['SUPER'], 'Super'), (tenants.roles.OperatorRole['SECURITY'], 'Security'), (tenants.roles.OperatorRole['BILLING'], 'Billing'), (tenants.roles.OperatorRole['SUPPORT'], 'Support'), (tenants.roles.OperatorRole['READ_ONLY'], 'Read-only')], max_length=16, verbose_name='role')),
                ('created_at', models.DateTimeField(default=core.clock.utc_now, verbose_name='created')),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='operator', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'operator',
                'verbose_name_plural': 'operators',
            },
        ),
        migrations.RunPython(give_roles, migrations.RunPython.noop),
    ]
