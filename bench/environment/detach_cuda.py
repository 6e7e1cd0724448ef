"""Makes PyPI's Linux build of PyTorch importable without NVIDIA's libraries, which are 4 GB and of no use on a CPU.

PyPI's only x86 Linux wheel of PyTorch is linked against CUDA, and the dynamic loader refuses to open it while a
library that it names is missing. For each missing library this script compiles an empty one that defines the names
that PyTorch expects of it; every function in it aborts, and none is reached without a GPU. The CPU part of PyTorch
(libtorch_cpu.so, oneDNN within) is untouched, so its speed is that of any CPU build; launching is if anything
faster than with NVIDIA's libraries there.

Usage: python detach_cuda.py  (by the interpreter whose PyTorch is meant; needs cc and nm)
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sysconfig
import tempfile

packages = pathlib.Path(sysconfig.get_paths()["purelib"])
torch = packages / "torch"
#: The folder that PyTorch's own run path searches for CUDA's libraries.
libraries = packages / "nvidia" / "cu13" / "lib"

#: Owners of the symbols whose version isn't simply their library's name, by the beginning of the symbols' names.
owners = {"nccl": "libnccl.so.2", "cuFile": "libcufile.so.0", "cusparseLt": "libcusparseLt.so.0", "nvshmem": "libnvshmem_host.so.3"}

#: A library's symbols by their version; "" for those that have none.
Versions = dict[str, set[str]]


def undefined_symbols(binary: pathlib.Path) -> list[str]:
    command = ["nm", "-D", "--undefined-only", str(binary)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.split()[-1] for line in lines]


def wanted_symbols(binaries: list[pathlib.Path]) -> dict[str, Versions]:
    """The undefined symbols of `binaries` that belong to a library of NVIDIA's, by that library's name."""
    wanted: dict[str, Versions] = {library: {} for library in owners.values()}
    for symbol in (symbol for binary in binaries for symbol in undefined_symbols(binary)):
        name, _, version = symbol.partition("@")
        version = version.lstrip("@")
        library = version if re.match(r"lib(cu|nv)", version) else None
        for prefix, owner in owners.items():
            if library is None and name.startswith(prefix):
                library = owner
        if library is not None:
            wanted.setdefault(library, {}).setdefault(version, set()).add(name)
    return wanted


def compile_empty(library: str, versions: Versions, folder: pathlib.Path) -> None:
    """Compiles `library`: each symbol a function that aborts, under the version that PyTorch asks for."""
    source, script = folder / "empty.c", folder / "versions"
    names = sorted(set().union(*versions.values()))
    source.write_text("#include <stdlib.h>\n" + "".join(f"void {name}(void) {{ abort(); }}\n" for name in names))
    named = {version: symbols for version, symbols in versions.items() if version}
    script.write_text("".join(f"{version} {{ {'; '.join(sorted(symbols))}; }};\n" for version, symbols in named.items()))
    options = [f"-Wl,--version-script={script}"] if named else []
    command = ["cc", "-shared", "-fPIC", "-w", "-fno-builtin", f"-Wl,-soname,{library}", *options]
    subprocess.run([*command, "-o", str(libraries / library), str(source)], check=True)


def main() -> None:
    binaries = [*(torch / "lib").glob("*.so"), *torch.glob("_C*.so")]
    libraries.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for library, versions in wanted_symbols(binaries).items():
            # The CUDA runtime itself is real (1 MB): PyTorch registers its GPU code with it while it is loaded.
            if not library.startswith("libcudart.") and not (libraries / library).exists():
                compile_empty(library, versions, pathlib.Path(folder))


if __name__ == "__main__":
    main()
