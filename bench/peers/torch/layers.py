"""From Talweg's layouts to PyTorch's: matrices [out, in] instead of [in, out], kernels OIHW instead of HWIO."""

from __future__ import annotations

from torch import Tensor


def in_torch_layout(tensor: Tensor) -> Tensor:
    if tensor.ndim == 2:
        return tensor.T
    return tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor
