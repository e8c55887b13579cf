"""Transformers folders on PyTorch."""
