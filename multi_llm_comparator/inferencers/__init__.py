"""Import paths of the API document."""
