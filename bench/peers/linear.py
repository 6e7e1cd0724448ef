"""The rows of the linear cases, as Talweg's `fit` reads them from its table."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass

import numpy as np
from safetensors.numpy import load_file


@dataclass
class Rows:
    features: np.ndarray
    targets: np.ndarray
    #: The order in which stochastic descent sees them in its first epoch.
    order: np.ndarray
    learning_rate: float


def load_rows(work: pathlib.Path, dtype: type) -> Rows:
    tensors = load_file(work / "batches.safetensors")
    rate = json.loads((work / "work.json").read_text())["learningRate"]
    return Rows(tensors["features"].astype(dtype), tensors["targets"].astype(dtype), tensors["order"], rate)
