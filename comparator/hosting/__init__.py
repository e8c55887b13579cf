"""What a server offers its visitors: host, sessions, queue, limits; without gradio."""
