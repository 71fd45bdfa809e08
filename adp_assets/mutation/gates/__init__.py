"""Gates: each one reason for which a candidate may not enter the pool; the first that refuses decides."""
