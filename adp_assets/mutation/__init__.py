"""Essences become new tasks: operators propose, orchestration completes, gates decide."""
