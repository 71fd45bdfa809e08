"""How fast the LLM client and the agent loop are: beside the bare client, a server's cap, and inspect_ai."""
