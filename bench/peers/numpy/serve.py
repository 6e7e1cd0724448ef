"""Full-batch gradient descent on a linear model in NumPy, without an array more than it needs."""

from __future__ import annotations

import pathlib
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from linear import load_rows  # noqa: E402
from turns import arguments, take_turns  # noqa: E402


def main() -> None:
    options = arguments()
    rows = load_rows(options.work, np.float32 if options.form == "f32" else np.float64)
    num_rows, num_features = rows.features.shape
    rate = rows.features.dtype.type(rows.learning_rate / num_rows)
    weights = np.zeros(num_features, rows.features.dtype)
    intercept = rows.features.dtype.type(0)
    residual = np.empty_like(rows.targets)

    def step() -> float:
        nonlocal intercept
        np.dot(rows.features, weights, out=residual)
        np.subtract(residual, rows.targets, out=residual)
        np.add(residual, intercept, out=residual)
        loss = np.dot(residual, residual) / (2 * num_rows)
        weights[:] -= rate * np.dot(residual, rows.features)
        intercept -= rate * residual.sum()
        return loss

    take_turns(f"NumPy {np.__version__}", step, options.checked)


main()
