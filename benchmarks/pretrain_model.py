"""Pre-trains on the unlabelled texts of corpus folders, like `reviewgen run pretrain` but without Spark.

    python benchmarks/pretrain_model.py --corpora CORPUS CORPUS --base embedded:3 --out RUN --set epochs=2

It reads the train and validation texts of the corpora, but not their labels and test texts.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from train_classifier import values_of

from reviewgen_spark.config import PretrainSection
from reviewgen_spark.models.training.pretraining import pretrain


def join_texts(corpora: list[Path], out: Path) -> Path:
    """Writes one corpus of all texts, with the manifest last."""
    for split in ("train", "validation"):
        parts = [pq.read_table(corpus / split, columns=["record_id", "text"]) for corpus in corpora]
        (out / split).mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.concat_tables(parts), out / split / "part-0.parquet")
    manifests = [json.loads((corpus / "manifest.json").read_text(encoding="utf-8")) for corpus in corpora]
    fingerprint = "+".join(manifest["fingerprint"] for manifest in manifests)
    (out / "manifest.json").write_text(json.dumps({"fingerprint": fingerprint}) + "\n", encoding="utf-8")
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, nargs="+", required=True)
    parser.add_argument("--base", default="embedded", help="as models.base")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a key of pretrain; repeatable"
    )
    options = parser.parse_args()
    section, started = PretrainSection(**values_of(options.set)), time.monotonic()
    corpus = join_texts(options.corpora, options.out / "corpus")
    pretrain(
        corpus,
        options.base,
        section,
        options.out / "model",
        lambda line: print(f"{time.monotonic() - started:7.0f} s  {line}", flush=True),
        options.out / "checkpoint.pt",
    )
    (options.out / "checkpoint.pt").unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
