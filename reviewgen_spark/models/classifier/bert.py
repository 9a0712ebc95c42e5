"""Runs a BERT classifier for prediction only, in plain torch. It loads faster than `transformers`.

`transformers` imports torch's compiler, distributed tensors, scipy and sympy. These imports take three quarters
of the time before the first row (docs/experiments.md), and an encoder needs none of them. Modules have the names of
`transformers`, so weights, adapters and packing fit both. Models that are not plain BERT are run by `transformers`.

Source: Devlin et al., BERT (2019). The pooled first token and the order of additions are those of `transformers`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch.nn import functional

# Settings of plain BERT. They are also the defaults of a file that does not contain them.
_PLAIN = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
}


@dataclass(frozen=True)
class BertConfig:
    """Holds the shape of a model. The fields have the names and values of `config.json`."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float
    num_labels: int
    pad_token_id: int | None


def read_config(folder: Path) -> BertConfig | None:
    """Reads the shape of the model in a folder; None if it is not plain BERT."""
    content: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    if "model_type" not in content or any(content.get(name, expected) != expected for name, expected in _PLAIN.items()):
        return None
    # As in transformers, a file without label names has two labels.
    values = {"pad_token_id": 0, "num_labels": len(content.get("id2label") or (0, 1)), **content}
    names = BertConfig.__dataclass_fields__
    return BertConfig(**{name: values[name] for name in names}) if set(names) <= values.keys() else None


class Output(NamedTuple):
    """Holds `logits` (B, labels) and, as in `transformers`, the last layer's states (B, T, hidden)."""

    logits: torch.Tensor
    hidden_states: tuple[torch.Tensor, ...]


def _empty_embedding(rows: int, width: int) -> torch.nn.Embedding:
    """Returns an embedding without weights, because random ones on the meta device would import torch's compiler."""
    embedding: torch.nn.Embedding = torch.nn.Embedding.from_pretrained(torch.empty(rows, width, device="meta"))  # type: ignore[no-untyped-call]
    return embedding


class _Embeddings(torch.nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word_embeddings = _empty_embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = _empty_embedding(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = _empty_embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = torch.nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, ids: torch.Tensor, types: torch.Tensor | None) -> torch.Tensor:
        """Computes (B, T) -> (B, T, hidden)."""
        type_vectors = self.token_type_embeddings.weight[0] if types is None else self.token_type_embeddings(types)
        position_vectors = self.position_embeddings.weight[: ids.shape[1]]  # (T, hidden)
        states: torch.Tensor = self.LayerNorm(self.word_embeddings(ids) + type_vectors + position_vectors)
        return states


class _SelfAttention(torch.nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.size = config.hidden_size // config.num_attention_heads
        self.query = torch.nn.Linear(config.hidden_size, config.hidden_size)
        self.key = torch.nn.Linear(config.hidden_size, config.hidden_size)
        self.value = torch.nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None, is_fused: bool) -> torch.Tensor:
        """Computes (B, T, hidden) -> (B, T, hidden).

        The mask broadcasts to (B, heads, T, T). Without the fused kernel, it is added to the scores.
        """
        shape = (*states.shape[:-1], -1, self.size)
        query, key, value = (part(states).view(shape).transpose(1, 2) for part in (self.query, self.key, self.value))
        if is_fused:
            attended = functional.scaled_dot_product_attention(query, key, value, mask)  # (B, heads, T, size)
        else:
            weights = torch.matmul(query, key.transpose(2, 3)) * self.size**-0.5  # (B, heads, T, T)
            attended = torch.matmul((weights if mask is None else weights + mask).softmax(dim=-1), value)
        return attended.transpose(1, 2).flatten(2)


class _Output(torch.nn.Module):
    """Computes the end of attention and of the feed-forward part. Adapters replace `dropout`."""

    def __init__(self, config: BertConfig, width: int) -> None:
        super().__init__()
        self.dense = torch.nn.Linear(width, config.hidden_size)
        self.dropout = torch.nn.Identity()
        self.LayerNorm = torch.nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, values: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """Computes (B, T, width) and the input (B, T, hidden) -> (B, T, hidden)."""
        output: torch.Tensor = self.LayerNorm(self.dropout(self.dense(values)) + states)
        return output


class _Layer(torch.nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        attention = {"self": _SelfAttention(config), "output": _Output(config, config.hidden_size)}
        self.attention = torch.nn.ModuleDict(attention)
        self.intermediate = torch.nn.ModuleDict(
            {"dense": torch.nn.Linear(config.hidden_size, config.intermediate_size)}
        )
        self.output = _Output(config, config.intermediate_size)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None, is_fused: bool) -> torch.Tensor:
        """Computes (B, T, hidden) -> (B, T, hidden)."""
        states = self.attention["output"](self.attention["self"](states, mask, is_fused), states)
        output: torch.Tensor = self.output(functional.gelu(self.intermediate["dense"](states)), states)
        return output


class BertClassifier(torch.nn.Module):
    """Computes the forward pass of `BertForSequenceClassification`."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.is_fused = True
        layers = torch.nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))
        encoder = torch.nn.ModuleDict({"layer": layers})
        pooler = torch.nn.ModuleDict({"dense": torch.nn.Linear(config.hidden_size, config.hidden_size)})
        self.bert: Any = torch.nn.ModuleDict({"embeddings": _Embeddings(config), "encoder": encoder, "pooler": pooler})
        self.classifier = torch.nn.Linear(config.hidden_size, config.num_labels)

    def set_attn_implementation(self, name: Literal["eager", "sdpa"]) -> None:
        """Selects attention by its name in `transformers`: `eager` (two products) or `sdpa` (torch's fused kernel)."""
        self.is_fused = name == "sdpa"

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        output_hidden_states: bool = False,
    ) -> Output:
        """Computes the logits from (B, T) int64 inputs. The mask is 0 on padding, and missing types are 0."""
        states = self.bert["embeddings"](input_ids, token_type_ids)
        mask = None
        # Attention is faster without a mask. Compiled code cannot check whether a mask is needed.
        if attention_mask is not None and (torch.compiler.is_compiling() or not bool(attention_mask.all())):
            mask = attention_mask[:, None, None, :].bool()  # (B, 1, 1, T)
            if not self.is_fused:
                mask = torch.zeros_like(mask, dtype=states.dtype).masked_fill(~mask, torch.finfo(states.dtype).min)
        for layer in self.bert["encoder"]["layer"]:
            states = layer(states, mask, self.is_fused)
        pooled = torch.tanh(self.bert["pooler"]["dense"](states[:, 0]))  # (B, hidden)
        return Output(self.classifier(pooled), (states,) if output_hidden_states else ())
