"""Alembic's migrations of the platform's tables, run by `Database.upgrade`."""
