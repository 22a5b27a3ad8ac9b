"""COVE: co-evolving vector quantization, categories learned from ids alone."""

__version__ = "0.1.0"
