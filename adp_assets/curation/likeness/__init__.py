"""How like texts are: word 3-grams in bulk, MinHash bands to keep, clusters of near copies."""
