"""Runs a BERT classifier for prediction only, in plain torch. It loads faster than `transformers`.

`transformers` imports torch's compiler, distributed tensors, scipy and sympy. These imports are three quarters of the
time before the first row (docs/experiments.md), and an encoder needs none of them. Modules have the names of
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
    """Holds the shape of a model, as `config.json` gives it and with its names."""

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
    found: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    if "model_type" not in found or any(found.get(name, plain) != plain for name, plain in _PLAIN.items()):
        return None
    # As in transformers, a file without label names has two labels.
    given = {"pad_token_id": 0, "num_labels": len(found.get("id2label") or (0, 1)), **found}
    names = BertConfig.__dataclass_fields__
    return BertConfig(**{name: given[name] for name in names}) if set(names) <= given.keys() else None


class Output(NamedTuple):
    """Holds `logits` (B, labels) and, as in `transformers`, the last layer's states (B, T, hidden)."""

    logits: torch.Tensor
    hidden_states: tuple[torch.Tensor, ...]


def _undrawn(rows: int, width: int) -> torch.nn.Embedding:
    """Returns an embedding without weights, because random ones on the meta device would import torch's compiler."""
    embedding: torch.nn.Embedding = torch.nn.Embedding.from_pretrained(torch.empty(rows, width, device="meta"))  # type: ignore[no-untyped-call]
    return embedding


class _Embeddings(torch.nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word_embeddings = _undrawn(config.vocab_size, config.hidden_size)
        self.position_embeddings = _undrawn(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = _undrawn(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = torch.nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, ids: torch.Tensor, types: torch.Tensor | None) -> torch.Tensor:
        """Computes (B, T) -> (B, T, hidden)."""
        kinds = self.token_type_embeddings.weight[0] if types is None else self.token_type_embeddings(types)
        places = self.position_embeddings.weight[: ids.shape[1]]  # (T, hidden)
        found: torch.Tensor = self.LayerNorm(self.word_embeddings(ids) + kinds + places)
        return found


class _SelfAttention(torch.nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.size = config.hidden_size // config.num_attention_heads
        self.query = torch.nn.Linear(config.hidden_size, config.hidden_size)
        self.key = torch.nn.Linear(config.hidden_size, config.hidden_size)
        self.value = torch.nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None, is_fused: bool) -> torch.Tensor:
        """Computes (B, T, hidden) -> (B, T, hidden); the mask broadcasts to (B, heads, T, T), is added if not fused."""
        shape = (*states.shape[:-1], -1, self.size)
        query, key, value = (part(states).view(shape).transpose(1, 2) for part in (self.query, self.key, self.value))
        if is_fused:
            found = functional.scaled_dot_product_attention(query, key, value, mask)  # (B, heads, T, size)
        else:
            weights = torch.matmul(query, key.transpose(2, 3)) * self.size**-0.5  # (B, heads, T, T)
            found = torch.matmul((weights if mask is None else weights + mask).softmax(dim=-1), value)
        return found.transpose(1, 2).flatten(2)


class _Output(torch.nn.Module):
    """Ends attention and the feed-forward part; adapters replace `dropout`."""

    def __init__(self, config: BertConfig, width: int) -> None:
        super().__init__()
        self.dense = torch.nn.Linear(width, config.hidden_size)
        self.dropout = torch.nn.Identity()
        self.LayerNorm = torch.nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, values: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """Computes (B, T, width) and the input (B, T, hidden) -> (B, T, hidden)."""
        found: torch.Tensor = self.LayerNorm(self.dropout(self.dense(values)) + states)
        return found


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
        found: torch.Tensor = self.output(functional.gelu(self.intermediate["dense"](states)), states)
        return found


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
        # The kernels are faster without a mask. A compiler cannot check whether one is needed.
        if attention_mask is not None and (torch.compiler.is_compiling() or not bool(attention_mask.all())):
            mask = attention_mask[:, None, None, :].bool()  # (B, 1, 1, T)
            if not self.is_fused:
                mask = torch.zeros_like(mask, dtype=states.dtype).masked_fill(~mask, torch.finfo(states.dtype).min)
        for layer in self.bert["encoder"]["layer"]:
            states = layer(states, mask, self.is_fused)
        pooled = torch.tanh(self.bert["pooler"]["dense"](states[:, 0]))  # (B, hidden)
        return Output(self.classifier(pooled), (states,) if output_hidden_states else ())
