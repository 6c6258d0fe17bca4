"""`./lumos render_k8s`: writes the Kubernetes manifests of tenants' namespaces; no secret is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.clock import utc_now
from core.tenancy import platform_scope
from scaling.api import Cluster, Manifest, manifests_of, workloads_of
from tenants.api import TenantNotFound, TenantStatus, all_tenant_facts, tenant_by_slug, tenant_facts


class Command(BaseCommand):
    help = "Write namespace, network policies, quota and workers of each active tenant, or of one, for kubectl apply."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="this tenant only")
        parser.add_argument("--output", type=Path, metavar="DIR", help="a file for each tenant (default: print them)")
        parser.add_argument("--image", default="lumos:latest", help="image of the workers (default lumos:latest)")
        parser.add_argument("--namespace", default="lumos", help="namespace of the platform's parts (default lumos)")

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = Cluster(image=options["image"], platform_namespace=options["namespace"])
        for slug, manifests in _rendered(options["tenant"], cluster):
            text = yaml.safe_dump_all(manifests, sort_keys=False, width=110)
            if options["output"] is None:
                self.stdout.write(f"---\n{text}", ending="")
            else:
                self._keep(options["output"], slug, text)

    def _keep(self, directory: Path, slug: str, text: str) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            (directory / f"{slug}.yaml").write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{directory} cannot be written: {error.strerror}") from error
        self.stdout.write(str(directory / f"{slug}.yaml"))


def _rendered(slug: str | None, cluster: Cluster) -> list[tuple[str, list[Manifest]]]:
    with platform_scope():
        try:
            tenants = [tenant_facts(tenant_by_slug(slug))] if slug else all_tenant_facts()
        except TenantNotFound as error:
            raise CommandError(f"There is no tenant {slug}") from error
        active = [facts for facts in tenants if slug or facts.status is TenantStatus.ACTIVE]
        return [(load.slug, manifests_of(load, cluster)) for load in workloads_of(active, now=utc_now())]
