"""The built-in teacher: a model without weights that solves the task families it knows by acting.

It is what runs when no LLM is configured. It sees what an LLM would see, messages and tools, and errs at a
known rate; `teacher.py` is the model, `families` what it can do.
"""

from runtimes.llm.teacher.teacher import Teacher

__all__ = ["Teacher"]
