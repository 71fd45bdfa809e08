"""The doors of the platform: the `adp` command. Each drives the same Dagster definitions as the UI."""
