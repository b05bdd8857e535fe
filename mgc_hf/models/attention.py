"""Scaled-dot-product attention that stays fast on a CPU where attention weights are dropped out.

torch's fused kernels for the CPU know no dropout. What `scaled_dot_product_attention` falls back to computes in float32
even under bfloat16 autocast and holds the matrices of all heads at once. So attention with dropout is written out here,
a few heads at a time, whose matrices stay in the processor's cache. Everything else goes to transformers' function.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from mgc_hf.models.dropout import draw_kept

#: Name for `attn_implementation`; `config.json` keeps none, so a saved model loads with transformers' own sdpa.
ATTENTION = "mgc_hf_sdpa"

#: Heads that are computed together: as quick as one at a time, in a quarter of the operations.
HEADS_AT_ONCE = 4


def attention_forward(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attend, as transformers' `sdpa_attention_forward`.

    Args:
        module (`torch.nn.Module`): The attention module.
        query, key, value (`torch.Tensor` of shape `(batch_size, num_heads, num_frames, head_dim)`): Projections.
        attention_mask (`torch.Tensor`, *optional*): As for `torch`: `True` where a query may look, or what is added.
        dropout (`float`, *optional*, defaults to 0.0): Probability of dropping an attention weight.
        scaling (`float`, *optional*): Factor of the scores; `head_dim ** -0.5` by default.

    Returns:
        `tuple[torch.Tensor, None]`: Output of shape `(batch_size, num_frames, num_heads, head_dim)`, and no weights.
    """
    is_written_out = dropout > 0 and query.device.type == "cpu" and query.shape[1] == key.shape[1]
    if not is_written_out or kwargs.get("is_causal") or kwargs.get("position_bias") is not None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    outputs = []
    for first in range(0, query.shape[1], HEADS_AT_ONCE):
        group = slice(first, first + HEADS_AT_ONCE)
        scores = (query[:, group] * scaling) @ key[:, group].transpose(2, 3)
        if attention_mask is not None:
            mask = attention_mask if attention_mask.shape[1] == 1 else attention_mask[:, group]
            # the least number, not minus infinity: a clip of padding alone would become NaN
            least = torch.finfo(scores.dtype).min
            scores = scores.masked_fill(~mask, least) if mask.dtype == torch.bool else scores + mask.to(scores.dtype)
        weights = scores.softmax(dim=-1, dtype=scores.dtype) * draw_kept(scores, dropout)
        outputs.append(weights @ value[:, group])
    return torch.cat(outputs, dim=1).transpose(1, 2) / (1 - dropout), None


AttentionInterface.register(ATTENTION, attention_forward)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
