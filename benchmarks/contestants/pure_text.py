"""The limit: runs the same pure functions in plain Python, without Spark, in one process for each core.

Texts are in memory before the time starts. `floor` has no cleaning except NFKC, and tokenises with rjieba.
"""

import multiprocessing
import time
import unicodedata

import pyarrow.parquet as pq
from contest import arguments, print_result

LINES = ("clean_tokens", "full", "floor")
CORES = 2


def run(path: str, line: str, barrier: "multiprocessing.synchronize.Barrier", times: "multiprocessing.Queue") -> None:
    texts = pq.read_table(path, columns=["text_raw"])["text_raw"].to_pylist()
    if line == "floor":
        import rjieba

        cut = rjieba.Jieba().cut

        def work(text: str) -> object:
            return cut(unicodedata.normalize("NFKC", text))
    else:
        from reviewgen_spark.config import CleanSection, TokensSection
        from reviewgen_spark.text.cleaning.cleaner import Cleaner
        from reviewgen_spark.text.words.tokeniser import Tokeniser
        from reviewgen_spark.transforms.dictionaries import driver_dictionaries

        is_full = line == "full"
        cleaner = Cleaner(CleanSection(mask_pii=is_full, simplify_chinese=is_full))
        tokeniser = Tokeniser(TokensSection(), driver_dictionaries())

        def work(text: str) -> object:
            clean = cleaner.clean(text).text_clean
            return tokeniser.words(clean or "")

    for text in texts[:2000]:
        work(text)
    barrier.wait()
    started = time.monotonic()
    for text in texts:
        work(text)
    times.put((started, time.monotonic()))


def main() -> None:
    options = arguments(__doc__, LINES).parse_args()
    files = sorted(str(path) for path in options.rows.glob("*.parquet"))
    seconds = 0.0
    # as many files at a time as there are cores
    for start in range(0, len(files), CORES):
        part = files[start : start + CORES]
        barrier, times = multiprocessing.Barrier(len(part)), multiprocessing.Queue()
        workers = [multiprocessing.Process(target=run, args=(path, options.line, barrier, times)) for path in part]
        for worker in workers:
            worker.start()
        spans = [times.get() for _ in workers]
        for worker in workers:
            worker.join()
        seconds += max(end for _, end in spans) - min(begin for begin, _ in spans)
    print_result(seconds)


if __name__ == "__main__":
    main()
