"""Members and invitations as the REST API shows and takes them; translates, decides nothing."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tenants.data import Role

_ROLES = [(role.value, role.name.title()) for role in Role]


class MemberSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="mem_…")
    email = serializers.EmailField()
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=_ROLES)
    since = serializers.DateTimeField()
    last_sign_in = serializers.DateTimeField(allow_null=True)


class RoleSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=_ROLES)


class InvitationSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="invite_…")
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=_ROLES)
    invited_by = serializers.CharField()
    expires_at = serializers.DateTimeField()


class NewInvitationSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=150)
    role = serializers.ChoiceField(choices=_ROLES)
    language = serializers.ChoiceField(
        choices=["en", "zh-hans", "zh-hant"], default="en", help_text="The language of the letter"
    )
