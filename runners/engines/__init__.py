"""What loads a model and writes its answer, a folder for each library."""
