"""The `adp` command, one module a group of subcommands."""
