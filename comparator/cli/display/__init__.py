"""What the command line shows: live columns, tables and progress bars. It decides nothing."""
