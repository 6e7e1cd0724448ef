"""A peer's side of the bench: prepared and warmed up once, it runs steps when it is told to and sleeps in between.

It writes a JSON line for the first step's loss, then one with the losses of all steps that are checked; then it reads a line
`{"warmup": w, "steps": k}` at a time and answers with the seconds that the k steps took.
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any


def say(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def arguments() -> argparse.Namespace:
    """What every peer is told when it is started."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder of work.json, weights and batches")
    parser.add_argument("--form", required=True, help="which form of the peer, such as eager or compile")
    parser.add_argument("--precision", choices=("f32", "bf16"), required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--checked", type=int, required=True, help="steps whose losses are told")
    return parser.parse_args()


def take_turns(version: str, step: Callable[[], Any], num_checked: int, read: Callable[[Any], float] = float) -> None:
    """`step` runs one step and gives its loss; `read` waits for it and makes it a number."""
    losses: list[tuple[int, float]] = []
    for index in range(num_checked):
        losses.append((index + 1, read(step())))
        if index == 0:
            say(firstLoss=losses[0][1])
    serve(version, losses, step, read)


def serve(
    version: str,
    losses: list[tuple[int, float]],
    call: Callable[[], Any],
    read: Callable[[Any], float] = float,
    steps_per_call: int = 1,
) -> None:
    """Answers the runner, with the losses by which systems are compared. `call` runs so many steps at once."""
    say(ready=version, losses=losses)
    for line in sys.stdin:
        command = json.loads(line)
        if command["warmup"] > 0:
            repeat(call, read, math.ceil(command["warmup"] / steps_per_call))
        num_calls = math.ceil(command["steps"] / steps_per_call)
        start = time.perf_counter()
        last = repeat(call, read, num_calls)
        seconds = time.perf_counter() - start
        if not math.isfinite(last):
            raise SystemExit(f"the loss is {last}")
        say(steps=num_calls * steps_per_call, seconds=seconds)


def repeat(call: Callable[[], Any], read: Callable[[Any], float], num_calls: int) -> float:
    loss = None
    for _ in range(num_calls):
        loss = call()
    return read(loss)
