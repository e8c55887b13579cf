"""How a model is run: the messages, the child process, and the engines inside it."""
