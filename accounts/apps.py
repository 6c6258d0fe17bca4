from importlib import import_module

from django.apps import AppConfig, apps


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        import_module("accounts.upkeep")
        import_module("accounts.proved_addresses")
        if apps.is_installed("allauth.mfa"):  # where people sign in; a worker only tidies up
            import_module("accounts.token_codes")
