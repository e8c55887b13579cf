"""The least page that Gradio can serve: one textbox. Usage: bare_page.py PORT."""

from __future__ import annotations

import sys

import gradio

if __name__ == "__main__":
    with gradio.Blocks() as page:
        gradio.Textbox()
    page.launch(server_port=int(sys.argv[1]))
