"""API sessions and tokens as the REST API shows and takes them; translates, decides nothing."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from core.rest.fields import PublicIdField


class NewSessionSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(
        max_length=150, required=False, help_text="With a password; leave both out with the portal's session"
    )
    password = serializers.CharField(max_length=512, required=False, trim_whitespace=False)
    code = serializers.CharField(max_length=32, default="", help_text="Of the second factor, where the account has one")
    tenant = PublicIdField("ten", required=False, help_text="Needed on the operators' host; a tenant's host is its own")
    name = serializers.CharField(max_length=80, default="", help_text="To tell it from others in the list")


class RefreshSerializer(serializers.Serializer[Any]):
    refresh_token = serializers.CharField(max_length=200)


class TokensSerializer(serializers.Serializer[Any]):
    session_id = serializers.CharField(help_text="ses_…")
    token_type = serializers.SerializerMethodField()
    access_token = serializers.CharField(help_text="A JWT for `Authorization: Bearer`")
    expires_in = serializers.IntegerField(help_text="Seconds that the access token lives")
    refresh_token = serializers.CharField(help_text="Good once: each renewal gives another")

    def get_token_type(self, tokens: Any) -> str:
        return "Bearer"


class SessionSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="ses_…")
    name = serializers.CharField()
    opened_from = serializers.CharField(help_text="The address that it was opened from")
    created_at = serializers.DateTimeField()
    used_at = serializers.DateTimeField(help_text="When its tokens were last renewed")
    expires_at = serializers.DateTimeField(help_text="When it ends unless it is renewed")
