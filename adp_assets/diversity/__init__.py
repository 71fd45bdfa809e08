"""How varied a round's tasks are, and whether that falls from round to round."""
