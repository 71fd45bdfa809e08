"""How well synthesis works: what it makes of what agents did, how new that is, and what it takes."""
