"""Alembic's entry: migrates over the connection that `Database.upgrade` hands in."""

from __future__ import annotations

from alembic import context

from adp_resources.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    version_table="adp_schema_version",
)
with context.begin_transaction():
    context.run_migrations()
