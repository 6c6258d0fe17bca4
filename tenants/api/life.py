"""Tenants and their lives: creation to deletion, jobs, schemas, migrations, backups, keys of encryption."""

from tenants.backups.making import back_up, backup_by_id, delete_backup
from tenants.backups.making import path_of as backup_path
from tenants.backups.restoring import manifest_of as backup_manifest
from tenants.backups.restoring import prove as prove_backup
from tenants.backups.restoring import restore as restore_backup
from tenants.fleet.fingerprint import find_drift
from tenants.fleet.heads import schemas_behind
from tenants.fleet.migrate import migrate_fleet, migrate_template, only_one
from tenants.portals import portal_address
from tenants.provisioning.head import TEMPLATE
from tenants.provisioning.pool import fill_pool, ready_schemas
from tenants.services.data_keys import seal_for_tenant, unseal_for_tenant
from tenants.services.deletion import cancel_deletion, delete_tenant
from tenants.services.envelopes import oldest_envelopes
from tenants.services.jobs import job_steps, resume_job, run_due_jobs, run_job
from tenants.services.lifecycle import (
    archive_tenant,
    create_tenant,
    rename_tenant,
    restore_tenant,
    resume_tenant,
    set_plan,
    suspend_tenant,
)
from tenants.services.master_keys import (
    Rotation,
    check_master_keys,
    known_fingerprints,
    master_key_uses,
    retire_master_key,
    rotate_master_key,
    set_up_master_key,
)

__all__ = [
    "TEMPLATE",
    "Rotation",
    "archive_tenant",
    "back_up",
    "backup_by_id",
    "backup_manifest",
    "backup_path",
    "cancel_deletion",
    "check_master_keys",
    "create_tenant",
    "delete_backup",
    "delete_tenant",
    "fill_pool",
    "find_drift",
    "job_steps",
    "known_fingerprints",
    "master_key_uses",
    "migrate_fleet",
    "migrate_template",
    "oldest_envelopes",
    "only_one",
    "portal_address",
    "prove_backup",
    "ready_schemas",
    "rename_tenant",
    "restore_backup",
    "restore_tenant",
    "resume_job",
    "resume_tenant",
    "retire_master_key",
    "rotate_master_key",
    "run_due_jobs",
    "run_job",
    "schemas_behind",
    "seal_for_tenant",
    "set_plan",
    "set_up_master_key",
    "suspend_tenant",
    "unseal_for_tenant",
]
