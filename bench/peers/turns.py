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
    losses: list[float] = []
    for _ in range(num_checked):
        losses.append(read(step()))
        if len(losses) == 1:
            say(firstLoss=losses[0])
    say(ready=version, losses=[[index + 1, loss] for index, loss in enumerate(losses)])
    for line in sys.stdin:
        command = json.loads(line)
        loss = None
        for _ in range(command["warmup"]):
            loss = step()
        if loss is not None:
            read(loss)
        start = time.perf_counter()
        for _ in range(command["steps"]):
            loss = step()
        last = read(loss)
        seconds = time.perf_counter() - start
        if not math.isfinite(last):
            raise SystemExit(f"the loss is {last}")
        say(steps=command["steps"], seconds=seconds)
