"""Rival (c): runs Spark's `predict_batch_udf` with fixed batches, each padded to its longest row."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from contest import arguments, print_result
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
            inputs = tokenizer(texts.tolist(), padding=True, truncation=True, max_length=128, return_tensors="pt")
            with torch.inference_mode():
                return model(**inputs).logits.softmax(1)[:, 1].double().numpy()

        return predict

    def work(spark: SparkSession, rows: DataFrame, out: Path) -> None:
        classify = predict_batch_udf(make_predict, return_type=DoubleType(), batch_size=32)
        write_delta(rows.select("record_id", classify("text_clean").alias("score")), out)

    print_result(race(options, work)[0])


if __name__ == "__main__":
    main()
