"""scikit-learn: an epoch of `SGDRegressor`; for full-batch descent its own loss and gradient, as its solvers call them."""

from __future__ import annotations

import json
import pathlib
import sys

import numpy as np
import sklearn
from sklearn._loss import HalfSquaredError
from sklearn.linear_model import SGDRegressor
from sklearn.linear_model._linear_loss import LinearModelLoss

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from linear import Rows, load_rows  # noqa: E402
from turns import arguments, say, serve, take_turns  # noqa: E402

version = f"scikit-learn {sklearn.__version__}"


def descend(rows: Rows, num_threads: int, num_checked: int) -> None:
    objective = LinearModelLoss(base_loss=HalfSquaredError(), fit_intercept=True)
    coefficients = np.zeros(rows.features.shape[1] + 1, rows.features.dtype)
    rate = rows.features.dtype.type(rows.learning_rate)

    def step() -> float:
        nonlocal coefficients
        loss, gradient = objective.loss_gradient(coefficients, rows.features, rows.targets, n_threads=num_threads)
        coefficients -= rate * gradient
        return loss

    take_turns(version, step, num_checked)


def regressor(learning_rate: float, shuffle: bool) -> SGDRegressor:
    return SGDRegressor(
        penalty=None, alpha=0.0, learning_rate="constant", eta0=learning_rate, shuffle=shuffle, random_state=0
    )


def objective_of(model: SGDRegressor, rows: Rows) -> float:
    residual = rows.features @ model.coef_ + model.intercept_ - rows.targets
    return float(np.mean(np.square(residual, dtype=np.float64)) / 2)


def descend_stochastically(rows: Rows) -> None:
    """What is compared is an epoch in Talweg's order; what is timed are epochs in an order that is drawn anew each time."""
    num_rows = rows.features.shape[0]
    first = regressor(rows.learning_rate, shuffle=False)
    first.partial_fit(rows.features[rows.order[:1]], rows.targets[rows.order[:1]])
    say(firstLoss=objective_of(first, rows))
    ordered = regressor(rows.learning_rate, shuffle=False)
    ordered.partial_fit(rows.features[rows.order], rows.targets[rows.order])
    compared = [(num_rows, objective_of(ordered, rows))]
    timed = regressor(rows.learning_rate, shuffle=True)

    def epoch() -> float:
        timed.partial_fit(rows.features, rows.targets)
        return float(timed.intercept_[0])

    serve(version, compared, epoch, steps_per_call=num_rows)


def main() -> None:
    options = arguments()
    rows = load_rows(options.work, np.float32 if options.form == "f32" else np.float64)
    method = json.loads((options.work / "work.json").read_text())["method"]
    if method == "gd":
        descend(rows, options.threads, options.checked)
    else:
        descend_stochastically(rows)


main()
