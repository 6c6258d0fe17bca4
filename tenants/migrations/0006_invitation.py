"""Invitations; no tenant's role reads them, since whoever accepts one becomes a member."""

import core.clock
import core.ids
import django.db.models.deletion
import tenants.data
from django.db import migrations, models

from core.tenancy.rls import fence


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0005_backups'),
    ]

    operations = [
        migrations.CreateModel(
            name='Invitation',
            fields=[
                ('id', models.CharField(default=core.ids.new_ulid, editable=False, max_length=26, primary_key=True, serialize=False)),
                ('email', models.EmailField(max_length=150, verbose_name='e-mail')),
                ('role', models.CharField(choices=[(tenants.data.Role['OWNER'], 'Owner'), (tenants.data.Role['ADMIN'], 'Admin'), (tenants.data.Role['DEVELOPER'], 'Developer'), (tenants.data.Role['BILLING'], 'Billing'), (tenants.data.Role['VIEWER'], 'Viewer')], max_length=16, verbose_name='role')),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('pepper_version', models.PositiveSmallIntegerField(default=1, editable=False)),
                ('invited_by', models.CharField(default='', max_length=200, verbose_name='invited by')),
                ('created_at', models.DateTimeField(default=core.clock.utc_now, verbose_name='created')),
                ('expires_at', models.DateTimeField(verbose_name='expires')),
                ('accepted_at', models.DateTimeField(blank=True, null=True, verbose_name='accepted')),
                ('revoked_at', models.DateTimeField(blank=True, null=True, verbose_name='revoked')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='tenants.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'invitation',
                'verbose_name_plural': 'invitations',
                'constraints': [models.UniqueConstraint(condition=models.Q(('accepted_at', None), ('revoked_at', None)), fields=('tenant', 'email'), name='invitation_open_once', violation_error_message='This address is invited already.')],
            },
        ),
        fence("tenants_invitation", privileges=()),
    ]
