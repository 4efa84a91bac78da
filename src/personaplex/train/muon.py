"""Muon: gradient descent whose step for a matrix has all singular values near one.

Keller Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon); scaled so that its steps are as large as AdamW's
(Moonlight, arXiv 2502.16982, section 2.2). Directions that few examples ask for get steps as large as the common ones,
which is what facts copied out of a role are. `torch.optim.Muon` computes in bfloat16 alone, which is slow on a CPU that
has none; here it is done where the device is made for it (`precision`). Knows matrices, not what they are for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from personaplex.train.precision import half_precision, made_for_half

_COEFFICIENTS = 3.4445, -4.7750, 2.0315
_STEPS = (5,)  # of the iteration, parted where the Gram matrix is computed anew
_STEPS_BF16 = 2, 2, 1
_ADAM_SIZE = 0.2  # root mean square of AdamW's steps, relative to its rate


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum and decoupled weight decay.

    Args:
        params: matrices, or groups of them; `sets` of a group tells how many matrices are stacked in each of its own.
        lr: the rate, as AdamW's.
        momentum: of the gradients' moving average.
        weight_decay: a step, relative to the rate.
        bf16: compute the iteration's products in bfloat16, but for CPUs that are slow at it.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        bf16: bool = False,
    ) -> None:
        self.bf16 = bf16
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "sets": 1})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step with the gradients there are; a matrix without one stays as it is."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike.setdefault(parameter.shape, []).append(parameter)
            for parameters in alike.values():
                self._step_alike(parameters, group)

    def _step_alike(self, parameters: list[torch.nn.Parameter], group: dict[str, Any]) -> None:
        """Of parameters of one shape, at once."""
        directions = []
        for parameter in parameters:
            assert parameter.grad is not None, "chosen for their gradients"
            state = self.state[parameter]
            if not state:
                state["mean"] = torch.zeros_like(parameter)
            state["mean"].lerp_(parameter.grad, 1 - group["momentum"])
            directions.append(parameter.grad.lerp(state["mean"], group["momentum"]))
        columns = parameters[0].shape[1]
        stacked = torch.stack(directions).reshape(len(parameters), group["sets"], -1, columns)
        steps = orthogonal(stacked, self.bf16)
        steps *= _ADAM_SIZE * max(steps.shape[-2:]) ** 0.5
        for parameter, step in zip(parameters, steps, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.sub_(step.reshape(parameter.shape), alpha=group["lr"])


def orthogonal(matrices: torch.Tensor, bf16: bool = False) -> torch.Tensor:
    """The nearest matrices with all singular values near one (0.7 to 1.2), by a Newton-Schulz iteration.

    Every iterate is the first one times a polynomial of its smaller Gram matrix, so it is that which is iterated: for
    a gated block's matrices less than half of the products. In bfloat16 the Gram matrix is computed anew after every
    other step: what is rounded off it grows twelvefold a step.

    Args:
        matrices: float `[..., M, N]`.
        bf16: compute products in bfloat16, but for CPUs that are slow at it.

    Returns:
        The same shape, in float32.
    """
    a, b, c = _COEFFICIENTS
    x = matrices.float()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    eye = torch.eye(x.shape[-2], device=x.device)
    half = bf16 and made_for_half(x.device)
    with half_precision(x.device, half):
        for steps in _STEPS_BF16 if half else _STEPS:
            gram = x @ x.mT
            whole = eye
            for index in range(steps):
                polynomial = a * eye + b * gram + c * (gram @ gram)
                whole = polynomial @ whole if index else polynomial
                if index + 1 < steps:
                    gram = polynomial @ gram @ polynomial
            x = whole @ x
    x = x.float()
    return x.mT if tall else x
