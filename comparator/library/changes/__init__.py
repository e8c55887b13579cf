"""What makes or removes models of the library."""
