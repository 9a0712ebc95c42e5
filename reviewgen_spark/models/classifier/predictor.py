"""Predicts with a model folder. It reads only safetensors and JSON, so loading never unpickles anything."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.classifier.heads import Head, probabilities
from reviewgen_spark.models.classifier.loading import Device, choose_device, load_forward
from reviewgen_spark.models.classifier.model_folder import ModelSettings, read_settings, require_sentiment
from reviewgen_spark.models.classifier.runtime import Precision, prepare
from reviewgen_spark.models.classifier.tokenizer import Tokenizer
from reviewgen_spark.models.data.batches import cut_by_token_budget, model_inputs


class Predictor:
    """Predicts with a classifier in evaluation mode, on one device, in one precision."""

    def __init__(
        self, folder: Path, device: Device = "auto", precision: Precision = "float32", compiled: bool = False
    ) -> None:
        """Loads the folder.

        Args:
            folder: a model folder.
            device: `auto` uses a GPU if this process sees one.
            precision: the type of weights and activations; scores are always float64.
            compiled: see `runtime.prepare`.

        Raises:
            ModelNotFoundError: the folder is not a model folder.
            ConfigError: the device is `cuda` but there is no GPU, or the precision is int8 on a GPU.
        """
        self.settings: ModelSettings = read_settings(folder)
        self.device = choose_device(device)
        self.tokenizer = Tokenizer(folder / "tokenizer.json", self.settings.max_tokens)
        model = load_forward(folder, self.settings.adapter)
        self.pad_id = int(model.config.pad_token_id or 0)
        self._reads_types = reads_types(model.config)
        self._model: Any = prepare(model, self.device, precision, compiled)

    def logits(
        self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None
    ) -> npt.NDArray[np.float64]:
        """Computes (B, labels) raw logits of one batch of token ids of any lengths.

        Args:
            rows: token ids.
            types: token types of pairs; without them, all types are 0.
        """
        with torch.inference_mode():
            logits = self._model(**model_inputs(rows, types, self.pad_id, self.device)).logits  # (B, labels)
        return np.asarray(logits.double().cpu().numpy())

    def probabilities(self, rows: Sequence[Sequence[int]]) -> npt.NDArray[np.float64]:
        """Computes (B,) calibrated probabilities of positive, the second label of the first head.

        Raises:
            ConfigError: the model needs an aspect with the text.
        """
        require_sentiment(self.settings, "score a text alone")
        return probabilities(self.logits(rows), self.settings.heads[0])[:, 1]

    def all_probabilities(self, rows: Sequence[Sequence[int]]) -> npt.NDArray[np.float64]:
        """Computes (B, labels of all heads) calibrated probabilities, in the order of the heads."""
        return self._head_probabilities(self.logits(rows))

    def probabilities_and_embeddings(self, rows: Sequence[Sequence[int]]) -> npt.NDArray[np.float64]:
        """Computes `all_probabilities` and `mean_pool` in one pass: (B, labels of all heads + hidden)."""
        inputs = model_inputs(rows, None, self.pad_id, self.device)
        with torch.inference_mode():
            output = self._model(**inputs, output_hidden_states=True)
            vectors = mean_pool(output.hidden_states[-1], inputs["attention_mask"]).cpu().numpy()  # (B, hidden)
        return np.concatenate([self._head_probabilities(output.logits.double().cpu().numpy()), vectors], axis=1)

    def _head_probabilities(self, logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.concatenate([probabilities(logits, head) for head in self.settings.heads], axis=1)

    def classify_texts(self, texts: Sequence[str], head: Head, tokens_per_batch: int = 8192) -> npt.NDArray[np.int64]:
        """Returns (N,) the most probable label of one head for each text, in the order of the texts."""
        rows = [tokens.ids for tokens in self.tokenizer.encode(texts)]
        labels = np.zeros(len(rows), dtype=np.int64)
        for batch in cut_by_token_budget([len(row) for row in rows], texts, tokens_per_batch):
            labels[batch] = probabilities(self.logits([rows[index] for index in batch]), head).argmax(axis=1)
        return labels

    def score_pairs(
        self, texts: Sequence[str], aspects: Sequence[str], tokens_per_batch: int = 8192
    ) -> npt.NDArray[np.float64]:
        """Computes (N, 3) probabilities of negative, neutral and positive for each text and aspect, in their order.

        Raises:
            ConfigError: the model was not trained on the task aspect.
        """
        if self.settings.task != "aspect":
            raise ConfigError(
                f"score pairs: expected a model of the task 'aspect', got one of '{self.settings.task}'; train one "
                "with finetune.tasks=[aspect]"
            )
        rows = self.tokenizer.encode(texts, aspects)
        scores = np.zeros((len(rows), len(self.settings.labels)))
        for batch in cut_by_token_budget([len(row.ids) for row in rows], texts, tokens_per_batch):
            types = [rows[index].types for index in batch] if self._reads_types else None
            logits = self.logits([rows[index].ids for index in batch], types)
            scores[batch] = probabilities(logits, self.settings.heads[0])
        return scores

    def score_texts(self, texts: Sequence[str], tokens_per_batch: int = 8192) -> npt.NDArray[np.float64]:
        """Computes (N,) calibrated probabilities of positive, in the order of the texts."""
        rows = [tokens.ids for tokens in self.tokenizer.encode(texts)]
        scores = np.zeros(len(rows))
        for batch in cut_by_token_budget([len(row) for row in rows], texts, tokens_per_batch):
            scores[batch] = self.probabilities([rows[index] for index in batch])
        return scores


def reads_types(config: Any) -> bool:
    """Returns whether a model has a separate embedding for the second of two texts. RoBERTa has one for both texts."""
    return int(getattr(config, "type_vocab_size", 0) or 0) > 1


def mean_pool(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Converts token states (B, T, hidden) and their mask (B, T) to float32 vectors of length 1, (B, hidden).

    A vector is the mean of the last layer over the tokens of a text. Sentence encoders are trained this way (Reimers
    and Gurevych 2019; Wang et al. 2024). The pooled vector is not used, because training fits it to the labels.
    """
    weights = mask.unsqueeze(2).float()  # (B, T, 1)
    means = (states.float() * weights).sum(1) / weights.sum(1)  # (B, hidden)
    return torch.nn.functional.normalize(means, dim=1)


def measure_latency_ms(predictor: Predictor, texts: Sequence[str]) -> float:
    """Measures the median time of one text, in ms, on one thread, without the slower first call."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = []
        for text in (texts[0], *texts):
            started = time.perf_counter()
            predictor.score_texts([text])
            times.append(time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    return 1000 * float(np.median(times[1:]))
