"""Attention with dropout or a gated position bias for a CPU, where torch's fused kernels know neither.

What `scaled_dot_product_attention` falls back to there computes in float32 even under bfloat16 autocast, and holds the
square matrices of all heads at once. Here heads are computed one after the other, so that their matrices stay in the
processor's cache; for the backward pass a head keeps its attention weights and, in bytes, which of them were dropped.
"""

from typing import Any

import torch

from mgc_hf.models.dropout import draw_kept


def cpu_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    scaling: float,
    dropout_p: float,
    mask: torch.Tensor | None = None,
    gate: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return `dropout(softmax(scaling * query @ key.T + gate * bias + mask)) @ value`.

    Args:
        query, key, value (`torch.Tensor` of shape `(batch_size, num_heads, num_frames, head_dim)`): Projections; the
            arithmetic has their dtype.
        scaling (`float`): Factor of the scores.
        dropout_p (`float`): Probability of dropping an attention weight.
        mask (`torch.Tensor`, *optional*): Of booleans (`True` where a query may look) or numbers that are added, of
            shape `(batch_size, 1 or num_heads, 1 or num_frames, num_frames)`. Rows that may look nowhere stay finite.
            Gets no gradient.
        gate (`torch.Tensor` of shape `(batch_size, num_heads, num_frames, 1)`, *optional*): With `bias`.
        bias (`torch.Tensor` of shape `(1, num_heads, num_frames, num_frames)`, *optional*): With `gate`.

    Returns:
        `torch.Tensor`: Shape `(batch_size, num_frames, num_heads, head_dim)`.
    """
    num_heads, dtype = query.shape[1], query.dtype
    # head first and contiguous: the products would copy each slice
    parts = [part.transpose(0, 1).contiguous() for part in (query, key, value)]
    if gate is not None and bias is not None:
        parts += [gate.to(dtype).transpose(0, 1), bias.to(dtype).transpose(0, 1)]
    masks: list[torch.Tensor | None] = [None] * num_heads
    if mask is not None:
        masks = list(added_mask(mask, dtype).expand(-1, num_heads, -1, -1).unbind(1))
    heads = zip(masks, *(part.unbind(0) for part in parts), strict=True)
    return torch.stack([_Head.apply(scaling, dropout_p, *head) for head in heads], dim=2)


def added_mask(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return a mask as numbers to add; the least one stands for minus infinity, which would give NaN."""
    least = torch.finfo(dtype).min
    if mask.dtype == torch.bool:
        return torch.zeros_like(mask, dtype=dtype).masked_fill_(~mask, least)
    return mask.to(dtype).clamp(min=least)


class _Head(torch.autograd.Function):
    """One head, with a backward pass that reads and writes the square matrices as few times as it can."""

    @staticmethod
    def forward(
        ctx: Any,
        scaling: float,
        dropout_p: float,
        mask: torch.Tensor | None,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        gate: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        with torch.autocast("cpu", enabled=False):
            if gate is None or bias is None:
                scores = torch.bmm(query, key.transpose(1, 2)).mul_(scaling)
            else:
                scores = (gate * bias).baddbmm_(query, key.transpose(1, 2), alpha=scaling)
            if mask is not None:
                scores += mask
            weights = scores.softmax(-1)
            kept = None
            if dropout_p:
                kept, value = draw_kept(weights, dropout_p), value / (1 - dropout_p)
            ctx.save_for_backward(query, key, value, gate, bias, weights, kept)
            ctx.scaling, ctx.dropout_p = scaling, dropout_p
            return torch.bmm(weights if kept is None else weights * kept, value)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, gate, bias, weights, kept = ctx.saved_tensors
        grad_query = grad_key = grad_value = grad_gate = grad_bias = None
        with torch.autocast("cpu", enabled=False):
            if ctx.needs_input_grad[5]:
                used = weights if kept is None else weights * kept
                grad_value = torch.bmm(used.transpose(1, 2), grad)
                if kept is not None:
                    grad_value /= 1 - ctx.dropout_p
            grad_scores = torch.bmm(grad, value.transpose(1, 2))
            if kept is not None:
                grad_scores *= kept
            grad_scores = torch.ops.aten._softmax_backward_data(grad_scores, weights, -1, weights.dtype)
            if ctx.needs_input_grad[3]:
                grad_query = torch.bmm(grad_scores, key).mul_(ctx.scaling)
            if ctx.needs_input_grad[4]:
                grad_key = torch.bmm(grad_scores.transpose(1, 2), query).mul_(ctx.scaling)
            if len(ctx.needs_input_grad) > 6 and ctx.needs_input_grad[6]:
                grad_gate = (grad_scores * bias).sum(-1, keepdim=True)
            if len(ctx.needs_input_grad) > 7 and ctx.needs_input_grad[7]:
                grad_bias = (grad_scores * gate).sum(0, keepdim=True)
        return (None, None, None, grad_query, grad_key, grad_value, grad_gate, grad_bias)[: len(ctx.needs_input_grad)]
