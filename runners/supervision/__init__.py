"""The parent's side of a child: start, watch, end, and why it ended."""
