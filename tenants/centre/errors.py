"""Errors of the configuration centre.

LumosError
├── InvalidInput
│   └── SettingNotValid
├── NotFound
│   ├── SettingNotFound
│   └── VersionNotFound
├── PermissionRefused
│   └── SettingNotYours
└── StaleState
    └── StaleVersion
"""

from __future__ import annotations

from core.errors import InvalidInput, NotFound, PermissionRefused, StaleState


class SettingNotValid(InvalidInput):
    code = "setting_not_valid"
    title = "This value does not fit the setting"


class SettingNotFound(NotFound):
    code = "setting_not_found"
    title = "There is no such setting"


class VersionNotFound(NotFound):
    code = "settings_version_not_found"
    title = "There is no such version of the settings"


class SettingNotYours(PermissionRefused):
    code = "setting_not_yours"
    title = "Somebody with more rights decides about this setting"


class StaleVersion(StaleState):
    code = "stale_version"
    title = "Somebody else changed the settings in the meantime"
