"""Which texts hold items of evaluation sets: read from a folder, with evidence of each hit."""
