"""API sessions; no tenant's role reads them: they are the accounts', and hold what tokens are told by."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import core.clock
import core.ids
import tenants.data
from core.tenancy.rls import fence


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0008_profiles'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiSession',
            fields=[
                ('id', models.CharField(default=core.ids.new_ulid, editable=False, max_length=26, primary_key=True, serialize=False)),
                ('name', models.CharField(blank=True, default='', max_length=80, verbose_name='name')),
                ('opened_from', models.CharField(default='', max_length=64, verbose_name='opened from')),
                ('account_mark', models.CharField(editable=False, max_length=128)),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('digest_before', models.CharField(default='', editable=False, max_length=64)),
                ('created_at', models.DateTimeField(default=core.clock.utc_now, verbose_name='created')),
                ('used_at', models.DateTimeField(default=core.clock.utc_now, verbose_name='last used')),
                ('refresh_until', models.DateTimeField(verbose_name='can be renewed until')),
                ('expires_at', models.DateTimeField(verbose_name='expires')),
                ('ended_at', models.DateTimeField(blank=True, null=True, verbose_name='ended')),
                ('end_reason', models.CharField(blank=True, choices=[(tenants.data.SessionEnd['ENDED'], 'Ended by its owner'), (tenants.data.SessionEnd['REUSED'], 'An old refresh token was used again'), (tenants.data.SessionEnd['CROWDED'], 'Gave way to newer ones'), (tenants.data.SessionEnd['ACCOUNT'], 'Account locked or password changed'), (tenants.data.SessionEnd['TENANT'], 'Tenant not active')], default='', max_length=16, verbose_name='why it ended')),
                ('membership', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_sessions', to='tenants.membership')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_sessions', to='tenants.tenant', verbose_name='tenant')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_sessions', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'API session',
                'verbose_name_plural': 'API sessions',
                'indexes': [models.Index(condition=models.Q(('ended_at', None)), fields=['user', 'tenant'], name='api_session_open')],
            },
        ),
        fence("tenants_apisession", privileges=()),
    ]
