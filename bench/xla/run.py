"""Compiles a StableHLO module by XLA for the CPU, runs it and gives its outputs.

    python run.py MODULE.mlir [INPUT.npy ...] [--replicas N] [--output FOLDER]
        Prints each output, or writes them to FOLDER as 0.npy, 1.npy, ... With --replicas N the module is run on N
        virtual devices (4 at most) that all get the same inputs.

    python run.py --serve
        For a caller that has many modules (check.ts). Reads a JSON request a line,
        {"module": text, "replicas": N, "inputs": [[tensor, ...] for each replica]}, and answers each by a line,
        {"outputs": [[tensor, ...] for each replica]} or {"error": text}. A tensor is
        {"dtype": "f32", "shape": [2, 3], "data": base64 of its bytes, row-major, little end first}.

XLA is reached through PJRT: the plug-in is PyPI's lammps-jax-pjrt-cpu, the client pypjrt (bench/setup installs both).
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import pathlib
import sys
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# By default XLA's CPU takes maximum(0, NaN) for 0; StableHLO says NaN.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_enable_fast_min_max=false"

import lammps_jax_pjrt_cpu
import numpy
import pypjrt
from pypjrt import typing as pjrt_types


@dataclass
class Tensor:
    dtype: str
    shape: list[int]
    data: bytes


#: Talweg's name of each element type with PJRT's code for it and the type in which NumPy holds its bits.
dtypes = {
    "f64": (pjrt_types.F64.code, numpy.float64),
    "f32": (pjrt_types.F32.code, numpy.float32),
    "bf16": (pjrt_types.BF16.code, numpy.uint16),
    "i32": (pjrt_types.S32.code, numpy.int32),
    "u32": (pjrt_types.U32.code, numpy.uint32),
    "u8": (pjrt_types.U8.code, numpy.uint8),
    "bool": (pjrt_types.PRED.code, numpy.bool_),
}
names_by_code = {code: name for name, (code, _) in dtypes.items()}


def from_array(array: numpy.ndarray) -> Tensor:
    for name, (_, kind) in dtypes.items():
        if array.dtype == kind and name != "bf16":
            return Tensor(name, list(array.shape), numpy.ascontiguousarray(array).tobytes())
    raise SystemExit(f"run.py: no element type of Talweg's is NumPy's {array.dtype}")


def to_array(tensor: Tensor) -> numpy.ndarray:
    return numpy.frombuffer(tensor.data, dtypes[tensor.dtype][1]).reshape(tensor.shape)


class Machine:
    """XLA's CPU with its virtual devices."""

    def __init__(self) -> None:
        self.client = pypjrt.Client.create(str(lammps_jax_pjrt_cpu.PLUGIN_PATH))

    def run(self, module: str, inputs: list[list[Tensor]]) -> list[list[Tensor]]:
        """`inputs` has a row for each replica, and so has the result."""
        num_replicas = len(inputs)
        executable = self.client.compile(module, options=pypjrt.CompileOptions(num_replicas=num_replicas))
        with executable, self.client.devices() as devices:
            if num_replicas > len(devices):
                raise SystemExit(f"run.py: {num_replicas} replicas on {len(devices)} devices")
            arguments = [[self.put(tensor, device) for tensor in row] for row, device in zip(inputs, devices)]
            return [[self.read(buffer) for buffer in row] for row in executable.execute_sharded(arguments)]

    def put(self, tensor: Tensor, device: pypjrt.Device) -> pypjrt.Buffer:
        # pypjrt wants the address of a first byte, also where there is nothing to send.
        data = bytearray(tensor.data) or bytearray(1)
        return self.client.buffer_from_host(data, dtypes[tensor.dtype][0], tensor.shape, device)

    def read(self, buffer: pypjrt.Buffer) -> Tensor:
        shape = list(buffer.dimensions)
        return Tensor(names_by_code[buffer.element_type], shape, b"" if 0 in shape else bytes(buffer.to_host()))


def decode(tensor: dict) -> Tensor:
    return Tensor(tensor["dtype"], tensor["shape"], base64.b64decode(tensor["data"]))


def encode(tensor: Tensor) -> dict:
    return {"dtype": tensor.dtype, "shape": tensor.shape, "data": base64.b64encode(tensor.data).decode()}


def serve() -> None:
    machine = Machine()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            outputs = machine.run(request["module"], [[decode(tensor) for tensor in row] for row in request["inputs"]])
            answer = {"outputs": [[encode(tensor) for tensor in row] for row in outputs]}
        except pypjrt.errors.PjrtError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", nargs="?", type=pathlib.Path)
    parser.add_argument("inputs", nargs="*", type=pathlib.Path)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    if options.serve:
        return serve()
    if options.module is None:
        parser.error("a module, or --serve, is required")
    inputs = [from_array(numpy.load(path)) for path in options.inputs]
    outputs = Machine().run(options.module.read_text(), [inputs] * options.replicas)
    for replica, row in enumerate(outputs):
        for index, tensor in enumerate(row):
            if options.output is None:
                print(f"replica {replica}, output {index}: {tensor.dtype}{tensor.shape}\n{to_array(tensor)}")
            else:
                folder = options.output if options.replicas == 1 else options.output / str(replica)
                folder.mkdir(parents=True, exist_ok=True)
                numpy.save(folder / f"{index}.npy", to_array(tensor))


if __name__ == "__main__":
    main()
