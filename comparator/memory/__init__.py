"""What a model needs, what the devices have, and where weights go."""
