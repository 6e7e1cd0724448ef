"""Transformers generates text: GPT-2's size with random weights, which it also writes for Talweg to read. The likeliest token each time."""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import time

import torch
import transformers


class Clock(transformers.StoppingCriteria):
    """Notes when each token is there; stops nothing."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, input_ids, scores, **kwargs):
        self.times.append(time.perf_counter())
        return torch.zeros(input_ids.shape[0], dtype=torch.bool)


def say(**message) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    transformers.utils.logging.set_verbosity_error()
    torch.manual_seed(1)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config()).eval()
    model.save_pretrained(options.model)
    model.generation_config.eos_token_id = None
    say(ready=f"Transformers {transformers.__version__}, PyTorch {torch.__version__.partition('+')[0]}")
    for line in sys.stdin:
        command = json.loads(line)
        prompt = torch.tensor([command["prompt"]])
        clock = Clock()
        with torch.inference_mode():
            found = model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=command["tokens"],
                do_sample=False,
                pad_token_id=0,
                stopping_criteria=[clock],
            )
        say(seconds=clock.times[-1] - clock.times[0], tokens=found[0, prompt.shape[1] :].tolist())


main()
