"""Impersonations; a tenant's role reads who came, when and why, and nothing that opens a visit."""

import core.clock
import core.ids
import django.db.models.deletion
import tenants.data.impersonation
from django.conf import settings
from django.db import migrations, models

from core.tenancy.rls import fence

SHOWN = "id, tenant_id, operator_label, acts_as, reason, created_at, expires_at, raised_at, raise_reason, ended_at"


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0014_master_keys'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Impersonation',
            fields=[
                ('id', models.CharField(default=core.ids.new_ulid, editable=False, max_length=26, primary_key=True, serialize=False)),
                ('operator_label', models.CharField(max_length=150, verbose_name='operator')),
                ('acts_as', models.CharField(blank=True, default='', max_length=150, verbose_name='acts as')),
                ('reason', models.CharField(max_length=400, verbose_name='reason')),
                ('created_at', models.DateTimeField(default=core.clock.utc_now, verbose_name='began')),
                ('expires_at', models.DateTimeField(verbose_name='ends')),
                ('session_sealed', models.TextField(editable=False)),
                ('handover_digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('handover_until', models.DateTimeField(editable=False)),
                ('entered_at', models.DateTimeField(blank=True, null=True, verbose_name='entered')),
                ('raised_at', models.DateTimeField(blank=True, null=True, verbose_name='raised')),
                ('raise_reason', models.CharField(blank=True, default='', max_length=400, verbose_name='why raised')),
                ('ended_at', models.DateTimeField(blank=True, null=True, verbose_name='over since')),
                ('end_reason', models.CharField(blank=True, choices=[(tenants.data.impersonation.ImpersonationEnd['ENDED'], 'Ended'), (tenants.data.impersonation.ImpersonationEnd['EXPIRED'], 'Its time was up'), (tenants.data.impersonation.ImpersonationEnd['SIGNED_OUT'], 'The operator signed out'), (tenants.data.impersonation.ImpersonationEnd['ROLE_LOST'], 'The operator may not any longer'), (tenants.data.impersonation.ImpersonationEnd['MEMBER_GONE'], 'The member is gone'), (tenants.data.impersonation.ImpersonationEnd['TENANT'], 'The tenant is put away')], default='', max_length=16, verbose_name='why over')),
                ('member', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='impersonations', to='tenants.membership', verbose_name='member')),
                ('operator', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='impersonations', to=settings.AUTH_USER_MODEL, verbose_name='operator')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='impersonations', to='tenants.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'impersonation',
                'verbose_name_plural': 'impersonations',
                'permissions': [('raise_impersonation', 'Can raise impersonation')],
                'indexes': [models.Index(fields=['tenant', '-created_at'], name='impersonation_by_tenant')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('operator',), name='impersonation_one_open', violation_error_message='An operator acts in one place at a time.')],
            },
        ),
        fence("tenants_impersonation", privileges=(f"SELECT ({SHOWN})",)),
    ]
