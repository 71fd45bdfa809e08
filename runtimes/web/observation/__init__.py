"""What an agent sees of a page, and how the refs it gives back are found."""
