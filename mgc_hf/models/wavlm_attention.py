"""WavLM's attention by torch's `scaled_dot_product_attention`: transformers 5 has the eager one alone.

The layers keep their weights and names; only what they compute with is replaced, in place and on the instances, so that
saving, copying, LoRA and checkpointing of activations go on as before.
"""

from typing import Any

import torch
from torch import nn
from torch.nn.functional import dropout, scaled_dot_product_attention
from transformers import WavLMConfig
from transformers.models.wavlm.modeling_wavlm import WavLMAttention

from mgc_hf.errors import OptionError
from mgc_hf.models.cpu_attention import added_mask, cpu_attention


def use_sdpa(model: nn.Module) -> int:
    """Bring every WavLM attention in `model` to scaled-dot-product attention, in place; a second call changes nothing.

    Outputs and gradients stay as they were, up to rounding. Where attentions are asked for (`output_attentions`, as an
    argument or in the configuration) the weights are computed as before. Frames of padding get no weight; a clip that
    is padding throughout gets finite values, where transformers' own attention gives NaN.

    Args:
        model (`nn.Module`): Any module that holds layers of `WavLMModel`, with or without peft's wrappers.

    Returns:
        `int`: The number of attention layers in `model`, all of which use it now.

    Raises:
        OptionError: There is no WavLM attention in `model`.
    """
    for module in model.modules():
        if type(module) is WavLMAttention:
            module.__class__ = SdpaWavLMAttention  # a class, not a bound method: copies and pickles keep it
    for module in model.modules():
        config = getattr(module, "config", None)
        if isinstance(config, WavLMConfig):
            for layer in module.modules():
                if isinstance(layer, SdpaWavLMAttention):
                    layer.config = config
    count = sum(isinstance(module, SdpaWavLMAttention) for module in model.modules())
    if not count:
        raise OptionError(
            f"--attn_implementation sdpa: {type(model).__name__} has no WavLM attention to replace; other models take "
            "attn_implementation='sdpa' when they are loaded"
        )
    return count


class SdpaWavLMAttention(WavLMAttention):
    """`WavLMAttention` whose position bias is one matrix per head for all clips, and whose products are fused.

    Projections are called as modules, so that what wraps them (LoRA) counts.
    """

    #: The model's own configuration, for its `output_attentions`.
    config: WavLMConfig | None = None

    def forward(  # type: ignore[override]
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_bias: torch.Tensor | None = None,
        index: int = 0,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
        """Attend.

        Args:
            hidden_states (`torch.Tensor` of shape `(batch_size, num_frames, hidden_size)`): Input.
            attention_mask (`torch.Tensor` of shape `(batch_size, num_frames)`, *optional*): 1 for frames, 0 for padding.
            position_bias (`torch.Tensor` of shape `(1, num_heads, num_frames, num_frames)`, *optional*): What the
                first layer returned.
            index (`int`, *optional*, defaults to 0): Not used, as in transformers.

        Returns:
            `tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]`: Output, attention weights (`None` unless asked
            for; the mean over the heads for each head, as in transformers) and the position bias.
        """
        num_frames = hidden_states.shape[1]
        if position_bias is None:
            position_bias = self.compute_bias(num_frames, num_frames).unsqueeze(0)
        projections = (self.q_proj, self.k_proj, self.v_proj)
        query, key, value = (self._per_head(project(hidden_states)) for project in projections)
        gate, scaling = self._gate(hidden_states), self.head_dim**-0.5
        seen = None if attention_mask is None else attention_mask.eq(1)[:, None, None, :]
        dropout_p = self.dropout if self.training else 0.0

        weights = None
        if kwargs.get("output_attentions", getattr(self.config, "output_attentions", False)):
            bias = _attention_bias(gate, position_bias, seen, query.dtype)
            weights = (query @ key.transpose(2, 3) * scaling + bias).softmax(-1)
            weights = dropout(weights, dropout_p)
            output = torch.matmul(weights, value).transpose(1, 2)
            weights = weights.mean(dim=1, keepdim=True).expand(-1, self.num_heads, -1, -1)
        elif query.device.type == "cpu" and not _is_fused(query, gate, position_bias, dropout_p):
            how = {"scaling": scaling, "dropout_p": dropout_p, "mask": seen}
            output = cpu_attention(query, key, value, gate=gate, bias=position_bias, **how)
        else:
            # One head's square matrices stay in a processor's cache, all heads' do not; a GPU wants them all at once.
            size = 1 if query.device.type == "cpu" else self.num_heads
            heads = zip(*(part.split(size, dim=1) for part in (query, key, value, gate, position_bias)), strict=True)
            outputs = []
            for q, k, v, *own in heads:
                bias = _attention_bias(own[0], own[1], seen, q.dtype)
                outputs.append(scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=dropout_p))
            output = torch.cat(outputs, dim=1).transpose(1, 2)
        return self.out_proj(output.flatten(2)), weights, position_bias

    def compute_bias(self, query_length: int, key_length: int) -> torch.Tensor:
        """Return the bias of every head, `(num_heads, query_length, key_length)`: one embedding for each distance."""
        if torch.compiler.is_exporting():  # the number of windows of `unfold` would be written into an ONNX file
            return super().compute_bias(query_length, key_length)
        distances = torch.arange(1 - query_length, key_length, device=self.rel_attn_embed.weight.device)
        values = self.rel_attn_embed(self._relative_positions_bucket(distances))
        # row i begins at the distance of key 0, which is -i; contiguous, or every product with it takes five times as long
        return values.T.unfold(1, key_length, 1).flip(1).contiguous()

    def _per_head(self, states: torch.Tensor) -> torch.Tensor:
        return states.unflatten(2, (self.num_heads, self.head_dim)).transpose(1, 2)

    def _gate(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return the factor of the position bias, `(batch_size, num_heads, num_frames, 1)`."""
        states = self.gru_rel_pos_linear(self._per_head(hidden_states)).unflatten(3, (2, 4)).sum(-1)
        update, reset = torch.sigmoid(states).chunk(2, dim=-1)
        return update * (reset * self.gru_rel_pos_const - 1.0) + 2.0


def _attention_bias(
    gate: torch.Tensor, position_bias: torch.Tensor, seen: torch.Tensor | None, dtype: torch.dtype
) -> torch.Tensor:
    """Return what is added to the scores, `(batch_size, heads, num_frames, num_frames)`."""
    bias = (gate * position_bias).to(dtype)
    return bias if seen is None else bias + added_mask(seen, dtype)


def _is_fused(query: torch.Tensor, gate: torch.Tensor, position_bias: torch.Tensor, dropout_p: float) -> bool:
    """Whether torch has a fused kernel for a CPU: in float32, without dropout or a gradient for the bias."""
    has_gradient = torch.is_grad_enabled() and (gate.requires_grad or position_bias.requires_grad)
    return query.dtype == torch.float32 and not dropout_p and not has_gradient
