"""Bring a model from Hugging Face to a vLLM endpoint as one image with one digest."""

__version__ = "0.1.0"
