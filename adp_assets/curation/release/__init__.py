"""Releases and datasets of rounds as folders: written, looked at, put in place, proved, copied elsewhere."""
