"""Gated recurrent layers for training on a CPU, with a gradient written out.

torch's layer differentiates each step by itself: a product for the weights' gradient and a dozen
stored tensors a step. Here steps keep only what the formulas need, and the weights' gradients are
one product over all steps. Padding is never computed.

    r = σ(x_r + y_r)   z = σ(x_z + y_z)   n = tanh(x_n + r ∘ y_n)   h_t = n + z ∘ (h_{t−1} − n)

with x = W x_t + b the part from below and y = U h_{t−1} + c the part from the step before.

T real positions in all, step by step and the longest lists first (torch's packed order), D
dimensions.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from cove.recommenders.dropout import dropout


def run_layers(layers: nn.GRU, embedded: Tensor, sizes: Tensor, share: float) -> Tensor:
    """Train-time states [B, L, D] of `embedded` [B, L, D], zero at padding.

    sizes: [B], at least 1, the real positions of each list, padding behind them; share: of the
    dropout between layers.
    """
    length = embedded.shape[1]
    packed = pack_padded_sequence(embedded, sizes.cpu(), batch_first=True, enforce_sorted=False)
    states, active = packed.data, packed.batch_sizes.tolist()
    for layer in range(layers.num_layers):
        if layer:
            states = dropout(states, share, True)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = (getattr(layers, f"{name}_l{layer}") for name in names)
        states = _Recurrence.apply(states, *weights, active)  # type: ignore[no-untyped-call]
    result = PackedSequence(
        states, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
    )
    return pad_packed_sequence(result, batch_first=True, total_length=length)[0]


class _Recurrence(torch.autograd.Function):
    """One layer over packed positions [T, D]; active: lists at work in each step, falling."""

    @staticmethod
    def forward(
        ctx: Any,
        below: Tensor,
        weight: Tensor,
        recurrent: Tensor,
        bias: Tensor,
        recurrent_bias: Tensor,
        active: list[int],
    ) -> Tensor:
        size = recurrent.shape[1]
        gates = torch.addmm(bias, below, weight.t())  # [T, 3D]: x, turned into r, z, n
        across = below.new_empty(len(below), size)  # y_n
        states = below.new_empty(len(below), size)
        before = below.new_zeros(active[0] if active else 0, size)
        start = 0
        for number in active:
            step = slice(start, start + number)
            inward = torch.addmm(recurrent_bias, before[:number], recurrent.t())
            both, new = gates[step, : 2 * size], gates[step, 2 * size :]
            both.add_(inward[:, : 2 * size]).sigmoid_()
            across[step] = inward[:, 2 * size :]
            new.addcmul_(both[:, :size], across[step]).tanh_()
            torch.lerp(new, before[:number], both[:, size:], out=states[step])
            before, start = states[step], start + number
        ctx.save_for_backward(below, weight, recurrent, gates, across, states)
        ctx.active = active
        return states

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        below, weight, recurrent, gates, across, states = ctx.saved_tensors
        size, active = recurrent.shape[1], ctx.active
        inward = torch.empty_like(gates)  # gradient of x; that of y differs in its last third
        backward = torch.empty_like(gates)
        previous = torch.zeros_like(states)  # h_{t−1} at each position
        carried = states.new_zeros(0, size)
        end = len(states)
        for index in range(len(active) - 1, -1, -1):
            number = active[index]
            step = slice(end - number, end)
            end -= number
            if index:
                earlier = end - active[index - 1]
                previous[step] = states[earlier : earlier + number]
            total = upstream[0][step].clone()
            total[: len(carried)] += carried
            reset, keep, new = gates[step].split(size, dim=1)
            change_new = total * (1 - keep) * (1 - new * new)
            change_keep = total * (previous[step] - new) * keep * (1 - keep)
            change_reset = change_new * across[step] * reset * (1 - reset)
            torch.cat([change_reset, change_keep, change_new], dim=1, out=inward[step])
            torch.cat([change_reset, change_keep, change_new * reset], dim=1, out=backward[step])
            carried = torch.addmm(total * keep, backward[step], recurrent)
        return (
            inward @ weight,
            inward.t() @ below,
            backward.t() @ previous,
            inward.sum(dim=0),
            backward.sum(dim=0),
            None,
        )
