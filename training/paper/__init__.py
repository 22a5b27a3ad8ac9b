"""The paper's tables as lists of runs, and what is written about them."""
