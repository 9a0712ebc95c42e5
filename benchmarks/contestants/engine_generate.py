"""Ours: what the stages `reply` and `generate` call, each text written once and checked."""

from pathlib import Path
from types import SimpleNamespace

from contest import arguments, tell
from delta_to_delta import race, write_delta
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from reviewgen_spark.config import load_config
from reviewgen_spark.generation import settings_for
from reviewgen_spark.inference.generate import write_texts
from reviewgen_spark.inference.torch_writer import torch_spec
from reviewgen_spark.models.generator import generator_sha256
from reviewgen_spark.transforms.dictionaries import driver_dictionaries, driver_safety_lists


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a generator folder")
    options = parser.parse_args()
    folder = options.model
    model = SimpleNamespace(name="b5", version=1, sha256=generator_sha256(folder), path=folder, uri=folder.as_uri())
    drawn = ("repetition_penalty=1", "no_repeat_ngram=0", "max_new_tokens=128")
    config = load_config(
        "local", ["generation.max_attempts=1", *(f"generation.decoding.{setting}" for setting in drawn)]
    )
    lists = SimpleNamespace(dictionaries=driver_dictionaries(), safety=driver_safety_lists())

    def work(spark: SparkSession, rows: DataFrame, out: Path) -> Row:
        spec = torch_spec(model, config.generation, spark)
        settings = settings_for(config, lists)
        write_delta(write_texts(rows, "gold_review_replies", spec, None, settings, "b5"), out)
        written = spark.read.format("delta").load(str(out))
        return written.agg(F.sum("meta.token_count").alias("tokens"), F.count("*").alias("texts")).collect()[0]

    seconds, found = race(options, work)
    tell(seconds, tokens=found.tokens, texts=found.texts)


if __name__ == "__main__":
    main()
