"""How a task becomes a trajectory: contracts, the agent loop, models, tools, runtimes and grading.

Nothing here knows Dagster, the database or the command line; those packages import this one.
"""
