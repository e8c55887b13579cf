"""Whether the columns of a comparison can be held against each other."""
