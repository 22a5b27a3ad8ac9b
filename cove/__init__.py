"""COVE: co-evolving vector quantization, categories learned from ids alone."""

import os

__version__ = "0.1.0"

# Before torch is imported: with its default, idle OpenMP threads spin, and on a machine with a
# busy neighbour each small operation then takes about ten milliseconds.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What cuBLAS asks for before it computes the same twice.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
