"""Trajectories become essences: what a solved task teaches, small enough to make new tasks from."""
