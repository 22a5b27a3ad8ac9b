"""What a seed may be."""

LARGEST_SEED = 2**31 - 1
"""As much as every library that draws random numbers takes."""
