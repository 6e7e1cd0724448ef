"""JAX: the whole training step (forward, backward, AdamW) under one `jit`, with its state given up to it."""

from __future__ import annotations

import json
import os
import pathlib
import sys
from functools import partial

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from turns import arguments, take_turns  # noqa: E402

options = arguments()
# XLA's thread pool is as large as the set of processors that it may use when it is made.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from gpt import loss_of  # noqa: E402
from jax import Array  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402


def adamw(parameter: Array, gradient: Array, mean: Array, variance: Array, count: Array, settings: dict) -> tuple:
    beta1, beta2, rate = settings["beta1"], settings["beta2"], settings["learningRate"]
    mean = beta1 * mean + (1 - beta1) * gradient
    variance = beta2 * variance + (1 - beta2) * gradient * gradient
    spread = jnp.sqrt(variance / (1 - beta2**count)) + settings["epsilon"]
    decay = settings["weightDecay"] if parameter.ndim >= 2 else 0.0
    updated = parameter * (1 - rate * decay) - rate * (mean / (1 - beta1**count)) / spread
    return updated, mean, variance


def main() -> None:
    work = json.loads((options.work / "work.json").read_text())
    weights = {name: jnp.asarray(value) for name, value in load_file(options.work / "weights.safetensors").items()}
    stacked = load_file(options.work / "batches.safetensors")
    batches = [tuple(map(jnp.asarray, pair)) for pair in zip(*(stacked[name] for name in work["inputs"]))]
    dtype = jnp.bfloat16 if options.precision == "bf16" else jnp.float32
    loss = partial(loss_of, options=work["options"], dtype=dtype)

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def train(weights: dict, means: dict, variances: dict, count: Array, tokens: Array, targets: Array) -> tuple:
        value, gradients = jax.value_and_grad(loss)(weights, tokens, targets)
        updated = {
            name: adamw(weights[name], gradients[name], means[name], variances[name], count, work["optimizer"])
            for name in weights
        }
        parts = [{name: parts[index] for name, parts in updated.items()} for index in range(3)]
        return value, *parts, count + 1

    state = [
        weights,
        {name: jnp.zeros_like(value) for name, value in weights.items()},
        {name: jnp.zeros_like(value) for name, value in weights.items()},
        jnp.asarray(1.0),
    ]
    next_batch = 0

    def step() -> Array:
        nonlocal state, next_batch
        value, *state = train(*state, *batches[next_batch])
        next_batch = (next_batch + 1) % len(batches)
        return value

    take_turns(f"JAX {jax.__version__}", step, options.checked)


main()
