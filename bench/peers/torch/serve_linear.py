"""Full-batch gradient descent on a linear model, its gradient written out: autograd would only add to it."""

from __future__ import annotations

import pathlib
import sys

import numpy as np
import torch
from torch import Tensor

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from linear import load_rows  # noqa: E402
from turns import arguments, take_turns  # noqa: E402


def descend(weights: Tensor, intercept: Tensor, features: Tensor, targets: Tensor, rate: float) -> Tensor:
    residual = torch.addmv(-targets, features, weights) + intercept
    weights -= rate * (residual @ features)
    intercept -= rate * residual.sum()
    return torch.dot(residual, residual) / (2 * len(targets))


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    rows = load_rows(options.work, np.float32)
    features, targets = torch.from_numpy(rows.features), torch.from_numpy(rows.targets)
    weights, intercept = torch.zeros(features.shape[1]), torch.zeros(())
    rate = rows.learning_rate / len(targets)
    run = torch.compile(descend) if options.form == "compile" else descend

    def step() -> Tensor:
        with torch.no_grad():
            return run(weights, intercept, features, targets, rate)

    take_turns(f"PyTorch {torch.__version__.partition('+')[0]}", step, options.checked)


main()
