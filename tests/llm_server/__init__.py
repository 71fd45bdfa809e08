"""A chat-completions server for tests and benchmarks, with planned replies and planned faults.

It runs as a process of its own, `python -m tests.llm_server`; a test starts one with `process.llm_server`.
"""
