"""What model files look like, and the checks of them; shared by parent and child."""
