"""A multilayer perceptron with ReLU, of the sizes that the weights have."""

from __future__ import annotations

import torch
from layers import in_torch_layout
from torch import Tensor, nn


class MLP(nn.Module):
    def __init__(self, sizes: list[tuple[int, int]]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in sizes)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def make(options: dict, weights: dict[str, Tensor]) -> nn.Module:
    numbers = sorted({int(name.split(".")[1]) for name in weights})
    model = MLP([tuple(weights[f"layers.{number}.weight"].shape) for number in numbers])
    model.load_state_dict({name: in_torch_layout(tensor) for name, tensor in weights.items()})
    return model
