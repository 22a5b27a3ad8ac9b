"""Dropout with masks that are cheap on a CPU."""

import torch
import torch.nn.functional as F
from torch import Tensor

_STEPS = 1 << 16


def dropout(values: Tensor, share: float, training: bool) -> Tensor:
    """Zero a random `share` of the values, scale the others by 1 / (1 − share).

    On a CPU torch draws a random number for each value, which costs more than the softmax or the
    product beside it; here each 64-bit word that is drawn decides on four values. The share is
    then exact to 1/65536, and so is the scale. Elsewhere this is torch's own dropout. Uses the
    device's global generator.
    """
    if not training or share == 0:
        return values
    if values.device.type != "cpu":
        return F.dropout(values, share)
    dropped = round(share * _STEPS)
    words = torch.empty((values.numel() + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)
    drawn = words.view(torch.int16)[: values.numel()].view(values.shape)
    kept = (drawn >= dropped - _STEPS // 2).to(values.dtype)
    return values * kept.mul_(_STEPS / max(1, _STEPS - dropped))
