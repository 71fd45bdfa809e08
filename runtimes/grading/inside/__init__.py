"""What runs in the graders' sandboxes: nothing here imports more than Python and the grading packages.

`wire` and `line` are what two sandboxes speak, `submission` the side with the agent's code, `tests` the side
with the tests, where `stand_ins` stand for what is over there. `expression` reads and compares mathematics.
`gym` makes and scores reasoning-gym's problems.
"""
