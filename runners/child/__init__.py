"""The child's side: its life, its sandbox, what it tells."""
