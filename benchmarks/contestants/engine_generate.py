"""Ours: runs the function of the stages `reply` and `generate`; each text is written once and checked."""

from pathlib import Path
from types import SimpleNamespace

from contest import arguments, print_result
from delta_to_delta import race, write_delta
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from reviewgen_spark.config import load_config
from reviewgen_spark.inference.generation.generate import write_texts
from reviewgen_spark.inference.generation.setup import settings_for
from reviewgen_spark.inference.generation.torch_writer import torch_spec
from reviewgen_spark.models.generator.generator_folder import generator_sha256
from reviewgen_spark.transforms.dictionaries import driver_dictionaries, driver_safety_lists


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a generator folder")
    parser.add_argument("--line", default="float32", help="generation.precision")
    options = parser.parse_args()
    folder = options.model
    model = SimpleNamespace(name="b5", version=1, sha256=generator_sha256(folder), path=folder, uri=folder.as_uri())
    decoding = ("repetition_penalty=1", "no_repeat_ngram=0", "max_new_tokens=128")
    settings = (f"precision={options.line}", "max_attempts=1", *(f"decoding.{setting}" for setting in decoding))
    config = load_config("local", [f"generation.{setting}" for setting in settings])
    lists = SimpleNamespace(dictionaries=driver_dictionaries(), safety=driver_safety_lists())

    def work(spark: SparkSession, rows: DataFrame, out: Path) -> Row:
        spec = torch_spec(model, config.generation, spark)
        checks = settings_for(config, lists)
        write_delta(write_texts(rows, "gold_review_replies", spec, None, checks, "b5"), out)
        written = spark.read.format("delta").load(str(out))
        return written.agg(F.sum("meta.token_count").alias("tokens"), F.count("*").alias("texts")).collect()[0]

    seconds, totals = race(options, work)
    print_result(seconds, tokens=totals.tokens, texts=totals.texts)


if __name__ == "__main__":
    main()
