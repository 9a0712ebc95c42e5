"""Rival (c): Spark's own `predict_batch_udf` with fixed batches, padded to their longest row as they come."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from contest import arguments, tell
from delta_to_delta import race, write_delta
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DoubleType


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--model", required=True, help="a model folder")
    options = parser.parse_args()
    folder = options.model

    def make_predict() -> Callable[[np.ndarray], np.ndarray]:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()

        def predict(texts: np.ndarray) -> np.ndarray:
            given = tokenizer(texts.tolist(), padding=True, truncation=True, max_length=128, return_tensors="pt")
            with torch.inference_mode():
                return model(**given).logits.softmax(1)[:, 1].double().numpy()

        return predict

    def work(spark: SparkSession, rows: DataFrame, out: Path) -> None:
        classify = predict_batch_udf(make_predict, return_type=DoubleType(), batch_size=32)
        write_delta(rows.select("record_id", classify("text_clean").alias("score")), out)

    tell(race(options, work)[0])


if __name__ == "__main__":
    main()
