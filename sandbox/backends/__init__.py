"""The ways to make a slot; `sandbox.backends.choice` picks one."""
