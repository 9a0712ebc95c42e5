"""Defines the registered model as an MLflow pyfunc (models-from-code): MLflow stores this file, and runs it to load.

MLflow copies this file alone, so it imports nothing of this package, only its pip requirements. It returns labels and
calibrated probabilities of texts, equal to those of `models.classifier.predictor` (a test compares the two).
"""

import json
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

BATCH_ROWS = 32


class ReviewSentiment(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined,misc]
    """Predicts `sentiment_label` and `sentiment_score` (probability of positive) from the string column `text`."""

    def load_context(self, context: Any) -> None:
        """Loads the plain files of the artifact `model`: safetensors and JSON, never a pickle."""
        from tokenizers import Tokenizer
        from transformers import AutoModelForSequenceClassification

        folder = Path(context.artifacts["model"])
        self.settings = json.loads((folder / "reviewgen.json").read_text(encoding="utf-8"))
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(max_length=self.settings["max_tokens"])
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, use_safetensors=True).eval()
        self.tokenizer.enable_padding(pad_id=self.model.config.pad_token_id or 0)

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Scores each row of the column `text`, in order; null or empty text gives null."""
        import torch

        texts = pd.Series(model_input["text"], dtype=object)
        readable = [index for index, text in enumerate(texts) if isinstance(text, str) and text.strip()]
        readable.sort(key=lambda index: len(texts.iloc[index]))  # similar lengths in one batch: less padding
        scores: list[float | None] = [None] * len(texts)
        for start in range(0, len(readable), BATCH_ROWS):
            rows = readable[start : start + BATCH_ROWS]
            encodings = self.tokenizer.encode_batch([texts.iloc[index] for index in rows])
            with torch.inference_mode():
                logits = self.model(
                    input_ids=torch.tensor([encoding.ids for encoding in encodings]),  # (B, T)
                    attention_mask=torch.tensor([encoding.attention_mask for encoding in encodings]),  # (B, T)
                ).logits.double()  # (B, width of all heads)
            head = self.settings["heads"][0]
            head_logits = logits[:, head["start"] : head["start"] + head["width"]]  # (B, 2), or (B, 1) before a sigmoid
            margins = (head_logits[:, -1] - (head_logits[:, 0] if head["width"] == 2 else 0.0)) / head["temperature"]
            for index, score in zip(rows, torch.sigmoid(margins).tolist(), strict=True):
                scores[index] = score
        names = self.settings["heads"][0]["labels"]
        labels = [None if score is None else names[int(score >= self.settings["threshold"])] for score in scores]
        return pd.DataFrame(
            {"sentiment_label": pd.Series(labels, dtype=object), "sentiment_score": pd.Series(scores, dtype=float)}
        )


mlflow.models.set_model(ReviewSentiment())
