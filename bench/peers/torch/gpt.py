"""GPT-2's architecture as PyTorch runs it fastest: query, key and value in one product, `scaled_dot_product_attention`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.projections = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        parts = self.projections(x).split(width, dim=2)
        query, key, value = (
            part.view(batch, length, self.num_heads, width // self.num_heads).transpose(1, 2) for part in parts
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.output(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, num_heads)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.down(functional.gelu(self.up(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    """The head's weights are the token table, as in Talweg's GPT."""

    def __init__(self, vocabulary: int, context: int, layers: int, heads: int, width: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.position_embedding = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.final_norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.token_embedding(tokens) + self.position_embedding.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return functional.linear(self.final_norm(x), self.token_embedding.weight)


def in_one_product(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """With query, key and value of each block behind each other."""
    joined = dict(weights)
    for layer in {name.split(".")[1] for name in weights if name.startswith("blocks.")}:
        for kind in ("weight", "bias"):
            prefix = f"blocks.{layer}.attention"
            parts = [joined.pop(f"{prefix}.{part}.{kind}") for part in ("query", "key", "value")]
            joined[f"{prefix}.projections.{kind}"] = torch.cat(parts)
    return joined


def in_torch_form(weights: dict[str, Tensor], names: dict[str, str]) -> dict[str, Tensor]:
    """Talweg's weights by other names and in PyTorch's layouts: matrices [out, in], three projections in one."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        is_matrix = tensor.ndim == 2 and "Embedding" not in name
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        renamed[name] = tensor.T if is_matrix else tensor
    return in_one_product(renamed)


NAMES = {
    "tokenEmbedding": "token_embedding",
    "positionEmbedding": "position_embedding",
    "finalNorm": "final_norm",
    ".mlp.": ".",
}


def make(options: dict, weights: dict[str, Tensor]) -> nn.Module:
    shape = {name: options[name] for name in ("vocabulary", "context", "layers", "heads", "width")}
    model = GPT(**shape)
    model.load_state_dict(in_torch_form(weights, NAMES))
    return model


def prepare_inputs(tokens: Tensor) -> Tensor:
    return tokens.long()
