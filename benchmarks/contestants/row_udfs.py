"""Rival (a): runs a chain of row UDFs, one function for each step, as a first implementation would.

It uses BeautifulSoup for markup, `re` for the rest, py3langid, OpenCC and jieba. Personal data is masked by the
function of this project with its fast path, so that both sides mask the same; this favours the rival.
"""

import html
import re
import time
import unicodedata
import warnings
from pathlib import Path

from bs4 import BeautifulSoup
from contest import arguments, print_result
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType

warnings.filterwarnings("ignore")
URL = re.compile(r"(?:https?://|www\.)[A-Za-z0-9\-._~:/?#@!$&'*+,;=%]+")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf]")
REPEATS = re.compile(r"([^\s0-9])\1{3,}")
SPACES = re.compile(r"\s+")
WORDLESS = re.compile(r"[\W_]+")


@F.udf(StringType())
def without_markup(text: str | None) -> str | None:
    return BeautifulSoup(html.unescape(text), "html.parser").get_text(" ") if text else text


@F.udf(StringType())
def normalised(text: str | None) -> str | None:
    if not text:
        return None
    text = CONTROL.sub("", unicodedata.normalize("NFKC", text))
    text = EMOJI.sub(" ", URL.sub("[URL]", text))
    return SPACES.sub(" ", REPEATS.sub(r"\1\1\1", text)).strip() or None


CONVERTER = None  # loaded in the worker at the first row


@F.udf(StringType())
def simplified(text: str | None) -> str | None:
    global CONVERTER
    if CONVERTER is None:
        from opencc import OpenCC

        CONVERTER = OpenCC("t2s").convert
    return CONVERTER(text) if text else None


@F.udf(StringType())
def language(text: str | None) -> str | None:
    import py3langid

    return py3langid.classify(text)[0] if text else None


@F.udf(StringType())
def masked(text: str | None) -> str | None:
    from reviewgen_spark.text.privacy import pii

    return pii.mask(text).text if text else None


STOP_WORDS = frozenset(
    (Path(__file__).resolve().parents[2] / "conf" / "dictionaries" / "stop_words.txt").read_text("utf-8").split()
)


@F.udf(ArrayType(StringType()))
def tokens(text: str | None) -> list[str] | None:
    import jieba

    return [word for word in jieba.lcut(text) if not word.isspace()] if text else None


@F.udf(ArrayType(StringType()))
def content_words(words: list[str] | None) -> list[str]:
    return [word for word in words or () if word not in STOP_WORDS and not WORDLESS.fullmatch(word)]


def chain(rows: DataFrame, line: str) -> DataFrame:
    """Adds one column for each step, like a notebook; Spark runs the UDFs of a row in one Python worker."""
    rows = rows.withColumn("text_clean", normalised(without_markup("text_raw")))
    if line == "full":
        rows = rows.withColumn("lang_code", language("text_clean"))
        rows = rows.withColumn("text_clean", masked(simplified("text_clean")))
    rows = rows.withColumn("tokens", tokens("text_clean"))
    return rows.withColumn("content_words", content_words("tokens")).drop("user_id", "title", "text_raw")


def main() -> None:
    options = arguments(__doc__, ("clean_tokens", "full")).parse_args()
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "3g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    for source in (options.warm, options.rows):
        started = time.monotonic()
        rows = spark.read.parquet(str(source))
        chain(rows, options.line).write.mode("overwrite").parquet(str(options.out))
        seconds = time.monotonic() - started
    spark.stop()
    print_result(seconds)


if __name__ == "__main__":
    main()
