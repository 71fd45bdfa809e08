"""How near a description is to those there are already: word 3-grams, an index over the whole pool."""
