"""Identity providers of tenants, and who came in through them."""

import core.clock
import core.ids
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_sign_in_anew'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='IdentityProvider',
            fields=[
                ('tenant_id', models.CharField(max_length=26, primary_key=True, serialize=False, verbose_name='tenant')),
                ('issuer', models.URLField(max_length=300, verbose_name='issuer')),
                ('client_id', models.CharField(max_length=300, verbose_name='client id')),
                ('sealed_secret', models.TextField(default='', editable=False)),
                ('admits', models.BooleanField(default=False, verbose_name='takes in whoever the provider knows')),
                ('role', models.CharField(max_length=16, verbose_name='role of those it takes in')),
                ('changed_at', models.DateTimeField(default=core.clock.utc_now, verbose_name='changed')),
            ],
            options={
                'verbose_name': 'identity provider',
                'verbose_name_plural': 'identity providers',
            },
        ),
        migrations.CreateModel(
            name='Identity',
            fields=[
                ('id', models.CharField(default=core.ids.new_ulid, editable=False, max_length=26, primary_key=True, serialize=False)),
                ('tenant_id', models.CharField(max_length=26, verbose_name='tenant')),
                ('issuer', models.URLField(max_length=300, verbose_name='issuer')),
                ('subject', models.CharField(max_length=255, verbose_name='subject')),
                ('said_email', models.CharField(default='', max_length=254, verbose_name='address that the provider gave')),
                ('created_at', models.DateTimeField(default=core.clock.utc_now, verbose_name='created')),
                ('used_at', models.DateTimeField(null=True, verbose_name='last used')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='identities', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'identity',
                'verbose_name_plural': 'identities',
                'constraints': [models.UniqueConstraint(fields=('tenant_id', 'issuer', 'subject'), name='identity_once')],
            },
        ),
    ]
