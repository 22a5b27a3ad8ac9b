"""The codebook classification loss, weighted by ω_c (Section 4.6).

The paper uses it without defining it; this is the published module's form: for each level the
cross-entropy of a linear head on the recommender's output state against the target's code.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class CodePrediction(nn.Module):
    """One linear head a level, from output states to that level's codes."""

    def __init__(self, dimensions: int, code_sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(dimensions, size) for size in code_sizes)

    def loss(self, states: Tensor, codes: Tensor) -> Tensor:
        """L_cls: states [M, D] against the codes of their targets [M, H]; the sum over levels of a
        mean over states, 0 without any."""
        total = states.new_zeros(())
        if not len(states):
            return total
        for level, head in enumerate(self.heads):
            total = total + F.cross_entropy(head(states), codes[:, level])
        return total
