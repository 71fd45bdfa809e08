"""What runs in the graders' sandboxes: nothing here imports more than Python and the grading packages.

`wire` and `line` are what two sandboxes speak, `submission` the side with the agent's code, `tests` the side
with the tests, which believes nothing that comes from there. `expression` reads and compares mathematics.
"""
