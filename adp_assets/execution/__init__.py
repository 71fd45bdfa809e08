"""Tasks become trajectories: one asset a task type, its work fanned out to that type's runtime."""
