"""What an agent may do: each tool a name, a JSON schema and a coroutine over the episode's workbench."""
