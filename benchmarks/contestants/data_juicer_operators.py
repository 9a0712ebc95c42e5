"""Rival (b): runs the operators of py-data-juicer on its own dataset with two processes.

It has operators for broken Unicode, markup, links, white space, traditional script and personal data (phones, e-mail,
identity cards). It has no operator that writes words, and its language score needs a model from a hub. Both are left
out here. Our line `clean` leaves out the words too, but detects the language.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from contest import arguments, print_result

OPERATORS = (
    {"fix_unicode_mapper": {}},
    {"clean_html_mapper": {}},
    {"clean_links_mapper": {"repl": "[URL]"}},
    {"whitespace_normalization_mapper": {}},
    {"chinese_convert_mapper": {"mode": "t2s"}},
    {"pii_redaction_mapper": {}},
)
COLUMNS = ["record_id", "text_raw"]


def main() -> None:
    options = arguments(__doc__).parse_args()
    os.environ["HF_DATASETS_OFFLINE"] = "1"
    output, sys.stdout = sys.stdout, sys.stderr  # its progress must not be in our output
    from data_juicer.core.data import NestedDataset
    from data_juicer.ops import load_ops
    from datasets import load_dataset

    def run(source: Path) -> float:
        operators = load_ops([{name: {**how, "num_proc": 2}} for item in OPERATORS for name, how in item.items()])
        started = time.monotonic()
        files = sorted(str(path) for path in source.glob("*.parquet"))
        # A temporary cache, because a shared one would give a second turn the results of the first.
        with tempfile.TemporaryDirectory() as cache:
            rows = load_dataset("parquet", data_files=files, split="train", columns=COLUMNS, cache_dir=cache)
            done = NestedDataset(rows.rename_column("text_raw", "text")).process(operators)
            options.out.mkdir(parents=True, exist_ok=True)
            done.to_parquet(str(options.out / "part.parquet"))
        return time.monotonic() - started

    seconds = run(options.rows)
    sys.stdout = output
    print_result(seconds)


if __name__ == "__main__":
    main()
