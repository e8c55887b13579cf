"""What is kept in SQLite between runs."""
