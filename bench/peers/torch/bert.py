"""BERT with its head for masked tokens as PyTorch runs it fastest: query, key and value in one product,
`scaled_dot_product_attention`, logits of the hidden places alone."""

from __future__ import annotations

import torch
from gpt import in_torch_form
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, width: int, num_heads: int, hidden: int, epsilon: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention = nn.ModuleDict({"projections": nn.Linear(width, 3 * width), "output": nn.Linear(width, width)})
        self.norm1 = nn.LayerNorm(width, epsilon)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        self.norm2 = nn.LayerNorm(width, epsilon)

    def attend(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        parts = self.attention["projections"](x).split(width, dim=2)
        query, key, value = (
            part.view(batch, length, self.num_heads, width // self.num_heads).transpose(1, 2) for part in parts
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.attention["output"](mixed.transpose(1, 2).reshape(batch, length, width))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x + self.attend(x))
        return self.norm2(x + self.down(functional.gelu(self.up(x))))


class BERT(nn.Module):
    """The head's weights are the token table."""

    def __init__(self, options: dict) -> None:
        super().__init__()
        width, epsilon = options["width"], options["normEpsilon"]
        self.token_embedding = nn.Embedding(options["vocabulary"], width)
        self.position_embedding = nn.Embedding(options["context"], width)
        self.token_type_embedding = nn.Embedding(options["tokenTypes"], width)
        self.embedding_norm = nn.LayerNorm(width, epsilon)
        shape = (width, options["heads"], options["feedForwardWidth"], epsilon)
        self.blocks = nn.ModuleList(Block(*shape) for _ in range(options["layers"]))
        self.transform = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, epsilon)
        self.bias = nn.Parameter(torch.zeros(options["vocabulary"]))

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        tokens, places = inputs
        x = self.token_embedding(tokens) + self.position_embedding.weight[: tokens.shape[1]]
        x = self.embedding_norm(x + self.token_type_embedding.weight[0])
        for block in self.blocks:
            x = block(x)
        hidden = x.flatten(0, 1).index_select(0, places)
        guessed = self.norm(functional.gelu(self.transform(hidden)))
        return functional.linear(guessed, self.token_embedding.weight, self.bias)


NAMES = {
    "bert.": "",
    "tokenEmbedding": "token_embedding",
    "positionEmbedding": "position_embedding",
    "tokenTypeEmbedding": "token_type_embedding",
    "embeddingNorm": "embedding_norm",
    ".mlp.": ".",
}


def make(options: dict, weights: dict[str, Tensor]) -> nn.Module:
    model = BERT(options)
    model.load_state_dict(in_torch_form(weights, NAMES))
    return model


def prepare_inputs(tokens: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Places are of rows behind each other, as the whole batch's."""
    starts = torch.arange(len(tokens))[:, None] * tokens.shape[1]
    return tokens.long(), (places.long() + starts).reshape(-1)
