"""How tasks come in: task files, the pool, and the round's frozen choice as the asset `seed_tasks`."""
