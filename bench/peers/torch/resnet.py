"""torchvision's ResNet, its images and activations with channels last."""

from __future__ import annotations

import re

import torch
from layers import in_torch_layout
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}
CONVOLUTIONS = {"first": "1", "second": "2", "third": "3"}


def their_name(name: str) -> str:
    """By the table at the top of `src/nn/models/resnet/model.ts`."""
    name = name.replace("runningMean", "running_mean").replace("runningVariance", "running_var")
    name = name.replace("stem.convolution", "conv1").replace("stem.norm", "bn1").replace("output.", "fc.")
    name = re.sub(r"^stages\.(\d+)", lambda found: f"layer{int(found[1]) + 1}", name)
    name = name.replace("shortcut.convolution", "downsample.0").replace("shortcut.norm", "downsample.1")
    name = re.sub(r"(first|second|third)\.convolution", lambda found: "conv" + CONVOLUTIONS[found[1]], name)
    return re.sub(r"(first|second|third)\.norm", lambda found: "bn" + CONVOLUTIONS[found[1]], name)


def make(options: dict, weights: dict[str, Tensor]) -> nn.Module:
    model = ResNet(BLOCKS[options["block"]], options["stages"], num_classes=options["numClasses"])
    if options.get("stem") == "small":
        model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()
    named = {their_name(name): in_torch_layout(tensor) for name, tensor in weights.items()}
    found = model.load_state_dict(named, strict=False)
    missing = [name for name in found.missing_keys if "num_batches_tracked" not in name]
    if missing or found.unexpected_keys:
        raise ValueError(f"the weights have no {missing}; the model has no {found.unexpected_keys}")
    return model.to(memory_format=torch.channels_last)


def prepare_inputs(images: Tensor) -> Tensor:
    """Talweg's images are [N, H, W, C]: as [N, C, H, W] those are the channels-last ones."""
    return images.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
