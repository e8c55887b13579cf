"""One module a sub-command: what it does once its options are read."""
