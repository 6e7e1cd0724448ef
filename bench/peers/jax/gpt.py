"""GPT-2's architecture in JAX. Weights are Talweg's, by Talweg's names: both keep matrices as [in, out]."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

Weights = dict[str, Array]


def linear(weights: Weights, name: str, x: Array, dtype: jnp.dtype) -> Array:
    return x.astype(dtype) @ weights[f"{name}.weight"].astype(dtype) + weights[f"{name}.bias"].astype(dtype)


def layer_norm(weights: Weights, name: str, x: Array) -> Array:
    x = x.astype(jnp.float32)
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred * jax.lax.rsqrt(jnp.square(centred).mean(axis=-1, keepdims=True) + 1e-5)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def attend(weights: Weights, name: str, x: Array, num_heads: int, dtype: jnp.dtype) -> Array:
    batch, length, width = x.shape
    query, key, value = (
        linear(weights, f"{name}.{part}", x, dtype).reshape(batch, length, num_heads, width // num_heads)
        for part in ("query", "key", "value")
    )
    mixed = jax.nn.dot_product_attention(query, key, value, is_causal=True)
    return linear(weights, f"{name}.output", mixed.reshape(batch, length, width), dtype)


def logits_of(weights: Weights, tokens: Array, options: dict, dtype: jnp.dtype) -> Array:
    """Products are in `dtype`, normalisation and what is added up along the layers in f32."""
    table = weights["tokenEmbedding.weight"]
    x = table[tokens] + weights["positionEmbedding.weight"][: tokens.shape[1]]
    for layer in range(options["layers"]):
        name = f"blocks.{layer}"
        normed = layer_norm(weights, f"{name}.norm1", x)
        x = x + attend(weights, f"{name}.attention", normed, options["heads"], dtype)
        raised = linear(weights, f"{name}.mlp.up", layer_norm(weights, f"{name}.norm2", x), dtype)
        x = x + linear(weights, f"{name}.mlp.down", jax.nn.gelu(raised, approximate=True), dtype)
    last = layer_norm(weights, "finalNorm", x).astype(dtype)
    return (last @ table.astype(dtype).T).astype(jnp.float32)


def loss_of(weights: Weights, tokens: Array, targets: Array, options: dict, dtype: jnp.dtype) -> Array:
    logits = logits_of(weights, tokens, options, dtype)
    chosen = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    return (jax.nn.logsumexp(logits, axis=-1) - chosen).mean()
