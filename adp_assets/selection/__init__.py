"""Which of the waiting tasks a round takes, and why; and when no round is worth following."""
