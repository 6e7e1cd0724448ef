"""PyTorch in its best form: eager or compiled, fused optimiser, autocast for bf16, channels last for images."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
from contextlib import nullcontext

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from turns import arguments, take_turns  # noqa: E402


def make_optimizer(model: nn.Module, settings: dict) -> torch.optim.Optimizer:
    rate = settings["learningRate"]
    if settings["kind"] == "sgd":
        return torch.optim.SGD(model.parameters(), lr=rate, momentum=settings["momentum"], fused=True)
    decayed = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    others = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [{"params": decayed, "weight_decay": settings["weightDecay"]}, {"params": others, "weight_decay": 0.0}]
    betas = (settings["beta1"], settings["beta2"])
    return torch.optim.AdamW(groups, lr=rate, betas=betas, eps=settings["epsilon"], fused=True)


def load_batches(folder: pathlib.Path, names: list[str], prepare) -> list[tuple]:
    """Batches ready to be used: to make them is no part of PyTorch's step here. The last of the names is the targets'."""
    stacked = load_file(folder / "batches.safetensors")
    batches = zip(*(stacked[name] for name in names))
    return [(prepare(*inputs), targets.long().reshape(-1)) for *inputs, targets in batches]


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    work = json.loads((options.work / "work.json").read_text())
    family = importlib.import_module(work["model"])
    model = family.make(work["options"], load_file(options.work / "weights.safetensors"))
    prepare = getattr(family, "prepare_inputs", lambda inputs: inputs)
    batches = load_batches(options.work, work["inputs"], prepare)
    optimizer = make_optimizer(model, work["optimizer"])
    is_bf16 = options.precision == "bf16"

    def loss_of(inputs: Tensor | tuple[Tensor, ...], targets: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16) if is_bf16 else nullcontext():
            logits = model(inputs)
            return functional.cross_entropy(logits.view(-1, logits.shape[-1]), targets)

    if options.form == "compile":
        loss_of = torch.compile(loss_of)
    next_batch = 0

    def step() -> Tensor:
        nonlocal next_batch
        inputs, targets = batches[next_batch]
        next_batch = (next_batch + 1) % len(batches)
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(inputs, targets)
        loss.backward()
        optimizer.step()
        return loss.detach()

    take_turns(f"PyTorch {torch.__version__.partition('+')[0]}", step, options.checked)


main()
