"""Turning other people's data sets into task files, one module a format."""
