"""Rival (b): runs the FTFY and PII formatters of datatrove, then its Chinese word tokeniser (spaCy with jieba).

It uses two local tasks. It has no formatter for markup, traditional script or Chinese personal data, and its language
filter needs a model from a hub. Those steps are left out here.
"""

import sys
import tempfile
import time

from contest import arguments, print_result


def main() -> None:
    options = arguments(__doc__).parse_args()
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
    print_result(seconds)


if __name__ == "__main__":
    main()
