"""Tools of MCP servers: what is registered of one, what it may be, sessions with it, answers as text."""
