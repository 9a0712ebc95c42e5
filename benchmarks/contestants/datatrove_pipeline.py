"""Rival (b): a datatrove pipeline: its FTFY and PII formatters, then its word tokeniser for Chinese (spaCy with jieba).

Two local tasks. It has no formatter for markup, traditional script or Chinese personal data, and its language filter
needs a model from a hub: those steps are left out here.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--warm", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.base import PipelineStep
    from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter
    from datatrove.utils.word_tokenizers import SpaCyTokenizer

    class WordCutter(PipelineStep):
        name, type = "words", "tokenizer"

        def run(self, data, rank: int = 0, world_size: int = 1):
            cutter = SpaCyTokenizer("zh")
            for document in data:
                document.metadata = {"tokens": cutter.word_tokenize(document.text) if document.text else []}
                yield document

    with tempfile.TemporaryDirectory() as logs:
        executor = LocalPipelineExecutor(
            pipeline=[
                ParquetReader(str(options.rows), text_key="text_raw", id_key="record_id", read_metadata=False),
                FTFYFormatter(),
                PIIFormatter(),
                WordCutter(),
                ParquetWriter(str(options.out)),
            ],
            tasks=2,
            workers=2,
            logging_dir=logs,
        )
        output, sys.stdout = sys.stdout, sys.stderr
        started = time.monotonic()
        executor.run()
        seconds = time.monotonic() - started
        sys.stdout = output
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
