"""Measurements, each behind a `make bench-*` target that prints one line of JSON; no test needs them."""
