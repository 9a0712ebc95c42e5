"""Rival (b): py-data-juicer's own operators, on its own dataset with two processes.

It has operators for broken Unicode, markup, links, white space, traditional script and personal data (phones, e-mail,
identity cards). It has none that writes words, and its language score needs a model from a hub: both are left out here,
and the line `clean` of ours leaves out the words (but detects the language all the same).
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from contest import arguments, tell

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
    output, sys.stdout = sys.stdout, sys.stderr  # its progress is not ours
    from data_juicer.core.data import NestedDataset
    from data_juicer.ops import load_ops
    from datasets import load_dataset

    def run(source: Path) -> float:
        operators = load_ops([{name: {**how, "num_proc": 2}} for item in OPERATORS for name, how in item.items()])
        started = time.monotonic()
        files = sorted(str(path) for path in source.glob("*.parquet"))
        # A cache of its own: with one that outlives the process a second turn finds the first one's results.
        with tempfile.TemporaryDirectory() as cache:
            rows = load_dataset("parquet", data_files=files, split="train", columns=COLUMNS, cache_dir=cache)
            done = NestedDataset(rows.rename_column("text_raw", "text")).process(operators)
            options.out.mkdir(parents=True, exist_ok=True)
            done.to_parquet(str(options.out / "part.parquet"))
        return time.monotonic() - started

    seconds = run(options.rows)
    sys.stdout = output
    tell(seconds)


if __name__ == "__main__":
    main()
