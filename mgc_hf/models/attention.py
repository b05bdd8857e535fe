"""Scaled-dot-product attention that stays fast on a CPU where attention weights are dropped out.

There it is [`cpu_attention`]; everything else goes to transformers' function.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from mgc_hf.models.cpu_attention import cpu_attention

#: Name for `attn_implementation`; `config.json` keeps none, so a saved model loads with transformers' own sdpa.
ATTENTION = "mgc_hf_sdpa"


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
    return cpu_attention(query, key, value, scaling=scaling, dropout_p=dropout, mask=attention_mask), None


AttentionInterface.register(ATTENTION, attention_forward)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
