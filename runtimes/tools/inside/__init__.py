"""Programs of our own tools that run in the episode's sandbox.

Each file is sent there as it stands and imports nothing of this project; the tool calls its `main`.
"""
