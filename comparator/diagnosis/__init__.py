"""What this machine and this installation are like, what is not at its best, and what mends it."""
