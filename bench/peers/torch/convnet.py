"""`bench/cases/convnet.ts`'s network, its images and activations with channels last."""

from __future__ import annotations

import torch
from layers import in_torch_layout
from torch import Tensor, nn
from torch.nn import functional


class ConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.convolution2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(32)
        self.hidden = nn.Linear(7 * 7 * 32, 128)
        self.output = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(torch.relu(self.norm1(self.convolution1(x))), 2)
        x = functional.max_pool2d(torch.relu(self.norm2(self.convolution2(x))), 2)
        features = x.permute(0, 2, 3, 1).flatten(1)
        return self.output(torch.relu(self.hidden(features)))


def make(options: dict, weights: dict[str, Tensor]) -> nn.Module:
    named = {
        name.replace("runningMean", "running_mean").replace("runningVariance", "running_var"): in_torch_layout(tensor)
        for name, tensor in weights.items()
    }
    model = ConvNet()
    model.load_state_dict(named, strict=False)
    missing = {name for name in model.state_dict() if "num_batches_tracked" not in name} - named.keys()
    if missing:
        raise ValueError(f"the weights have no {sorted(missing)}")
    return model.to(memory_format=torch.channels_last)


def prepare_inputs(images: Tensor) -> Tensor:
    """Talweg's images are [N, H, W, C]: as [N, C, H, W] those are the channels-last ones."""
    return images.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
