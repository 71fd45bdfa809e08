"""Who decides whether a task was solved: verifiers, apart from the agent and from what it touched."""
