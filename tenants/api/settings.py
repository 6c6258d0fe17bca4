"""What a tenant decides for itself: settings, webhooks, conversations."""

from tenants.centre.data import Configuration, Editor, SettingFacts, SettingsChanged
from tenants.centre.errors import SettingNotFound, SettingNotValid, VersionNotFound
from tenants.centre.registry import REQUIRE_FACTOR, check_value, spec_of
from tenants.centre.selectors import configuration_of, setting_of, settings_at, settings_named, versions_of
from tenants.centre.services import change_settings, roll_back_settings
from tenants.webhooks.data import CHOSEN, DeliveryState, EndpointFacts
from tenants.webhooks.errors import DeliveryNotFound, EndpointNotFound
from tenants.webhooks.selectors import deliveries_of, delivery_of, delivery_text, endpoint_of, endpoints_of
from tenants.webhooks.services import (
    add_endpoint,
    change_endpoint,
    disable_endpoint,
    enable_endpoint,
    remove_endpoint,
    resend_delivery,
    resend_failed,
    rotate_secret,
    send_test,
)
from tenants.workspace.api import (
    ConversationFacts,
    ConversationNotFound,
    ConversationText,
    Turn,
    TurnNotUsable,
    conversation_text,
    conversations_of,
    delete_conversation,
    keep_turns,
)

__all__ = [
    "CHOSEN",
    "REQUIRE_FACTOR",
    "Configuration",
    "ConversationFacts",
    "ConversationNotFound",
    "ConversationText",
    "DeliveryNotFound",
    "DeliveryState",
    "Editor",
    "EndpointFacts",
    "EndpointNotFound",
    "SettingFacts",
    "SettingNotFound",
    "SettingNotValid",
    "SettingsChanged",
    "Turn",
    "TurnNotUsable",
    "VersionNotFound",
    "add_endpoint",
    "change_endpoint",
    "change_settings",
    "check_value",
    "configuration_of",
    "conversation_text",
    "conversations_of",
    "delete_conversation",
    "deliveries_of",
    "delivery_of",
    "delivery_text",
    "disable_endpoint",
    "enable_endpoint",
    "endpoint_of",
    "endpoints_of",
    "keep_turns",
    "remove_endpoint",
    "resend_delivery",
    "resend_failed",
    "roll_back_settings",
    "rotate_secret",
    "send_test",
    "setting_of",
    "settings_at",
    "settings_named",
    "spec_of",
    "versions_of",
]
