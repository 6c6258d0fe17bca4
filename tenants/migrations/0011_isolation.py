import core.clock
import core.ids
import tenants.isolation.registry
from django.db import migrations, models

from core.tenancy.rls import fence


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0010_webhooks'),
    ]

    operations = [
        migrations.CreateModel(
            name='IsolationReport',
            fields=[
                ('id', models.CharField(default=core.ids.new_ulid, editable=False, max_length=26, primary_key=True, serialize=False)),
                ('tenant_id', models.CharField(max_length=26, verbose_name='tenant')),
                ('outcome', models.CharField(choices=[(tenants.isolation.registry.Outcome['PASSED'], 'Passed'), (tenants.isolation.registry.Outcome['FAILED'], 'Failed'), (tenants.isolation.registry.Outcome['COULD_NOT_RUN'], 'Incomplete')], max_length=16, verbose_name='outcome')),
                ('checks', models.JSONField(default=list, verbose_name='checks')),
                ('ran_at', models.DateTimeField(default=core.clock.utc_now, verbose_name='ran')),
                ('took_ms', models.PositiveIntegerField(verbose_name='took (ms)')),
                ('asked_by', models.CharField(max_length=200, verbose_name='asked by')),
            ],
            options={
                'verbose_name': 'isolation report',
                'verbose_name_plural': 'isolation reports',
                'indexes': [models.Index(fields=['tenant_id', '-id'], name='isolation_by_tenant'), models.Index(fields=['-ran_at'], name='isolation_by_time')],
            },
        ),
        fence("tenants_isolationreport"),
    ]
