"""Trajectories become training sets: filtered, deduplicated, split by root seed, written with a card."""
