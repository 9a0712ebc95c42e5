"""Rival: runs text-dedup's MinHash command with two processes and our bands; it does not verify candidates."""

import subprocess
import sys
import tempfile
import time

from contest import arguments, print_result


def main() -> None:
    options = arguments(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-m", "text_dedup.minhash", "--path", "parquet", "--split", "train"]
        command += ["--data_files", str(next(options.rows.glob("*.parquet"))), "--cache_dir", cache]
        command += ["--output", str(options.out), "--column", "text", "--batch_size", "10000", "--num_proc", "2"]
        command += ["--ngram", "3", "--min_length", "1", "--num_perm", "60", "--b", "12", "--r", "5"]
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    print_result(seconds)


if __name__ == "__main__":
    main()
