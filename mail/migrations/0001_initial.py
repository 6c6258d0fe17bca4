"""Mail on its way."""

import core.clock
import core.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='OutgoingMail',
            fields=[
                ('id', models.CharField(default=core.ids.new_ulid, editable=False, max_length=26, primary_key=True, serialize=False)),
                ('tenant_id', models.CharField(blank=True, default='', max_length=26, verbose_name='tenant')),
                ('kind', models.CharField(max_length=40, verbose_name='kind')),
                ('to', models.EmailField(max_length=254, verbose_name='to')),
                ('language', models.CharField(max_length=16, verbose_name='language')),
                ('sealed', models.TextField(default='', editable=False)),
                ('created_at', models.DateTimeField(default=core.clock.utc_now, verbose_name='created')),
                ('due_at', models.DateTimeField(default=core.clock.utc_now, null=True, verbose_name='next attempt')),
                ('sent_at', models.DateTimeField(null=True, verbose_name='sent')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('last_error', models.CharField(blank=True, default='', max_length=300, verbose_name='last error')),
            ],
            options={
                'verbose_name': 'outgoing mail',
                'verbose_name_plural': 'outgoing mail',
                'indexes': [models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at'], name='mail_due')],
            },
        ),
    ]
