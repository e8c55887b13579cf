"""``comparator suite``: a module for each of its commands."""
