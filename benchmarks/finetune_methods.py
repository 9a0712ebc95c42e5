"""Runs every method of fine-tuning on one corpus with the same base, seed and epochs, each in its own process.

    python benchmarks/finetune_methods.py --corpus CORPUS --base embedded:3 --out RUNS --set epochs=3 --rate lora=2e-3

The run of a method is in RUNS/<method>, as train_classifier.py writes it. A finished run is not repeated, and an
interrupted one resumes from its checkpoint. The table is printed and written to RUNS/methods.md, and with every setting
to RUNS/methods.json. The best learning rate differs by method: --rate sets it for one method, and the table shows it.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

METHODS = ("full", "frozen", "lora", "adalora", "bottleneck")
TRAINER = Path(__file__).resolve().with_name("train_classifier.py")


def command_of(method: str, options: argparse.Namespace, rates: Mapping[str, str]) -> list[str]:
    """Returns the command of train_classifier.py for one method; a later setting overrides an earlier one."""
    pairs = [*options.set, f"method={method}"]
    if method in rates:
        pairs.append(f"learning_rate={rates[method]}")
    command = [sys.executable, str(TRAINER), "--corpus", str(options.corpus), "--base", options.base]
    command += ["--out", str(options.out / method)]
    return command + [part for pair in pairs for part in ("--set", pair)]


def row_of(method: str, facts: Mapping[str, Any]) -> list[str]:
    """Returns a line of the table from the output of train_classifier.py."""
    metric = "f1_macro" if facts["settings"]["tasks"] == ["aspect"] else "f1"
    share = 100 * facts["trained_parameters"] / facts["parameters"]
    cells = [
        method,
        f"{facts['settings']['learning_rate']:g}",
        f"{facts['trained_parameters']:,} ({share:.1f} %)",
        f"{facts['seconds']:,}",
        f"{facts['peak_memory_mb']:,}",
        f"{facts['best_epoch']}",
    ]
    for split in ("validation", "test"):
        (score,) = [
            score
            for score in facts["scores"]
            if (score["model"], score["split"], score["slice_name"], score["metric"]) == ("model", split, "all", metric)
        ]
        cells.append(f"{score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}]")
    return cells


def table_of(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns the table in Markdown, one line for each method."""
    metric = "macro F1" if any(facts["settings"]["tasks"] == ["aspect"] for facts in results.values()) else "F1"
    heads = ["method", "learning rate", "trained parameters", "seconds", "peak MB", "epoch"]
    heads += [f"validation {metric} [95 %]", f"test {metric} [95 %]"]
    rows = [heads, ["---"] * len(heads), *(row_of(method, facts) for method, facts in results.items())]
    return [f"| {' | '.join(row)} |" for row in rows]


def run_methods(methods: Sequence[str], options: argparse.Namespace, rates: Mapping[str, str]) -> dict[str, Any]:
    """Runs the methods and returns their output by method.

    Raises:
        SystemExit: a run failed, and its output is above; or there is a run with other settings.
    """
    results: dict[str, Any] = {}
    for method in methods:
        written, called = (options.out / method / name for name in ("scores.json", "call.json"))
        command = command_of(method, options, rates)
        call = json.dumps(command[2:], indent=1, ensure_ascii=False) + "\n"
        if called.is_file() and called.read_text(encoding="utf-8") != call:
            raise SystemExit(f"{called.parent}: holds a run with other settings; remove it, or choose another --out")
        if not written.is_file():
            print(f"{method}:", flush=True)
            called.parent.mkdir(parents=True, exist_ok=True)
            called.write_text(call, encoding="utf-8")
            done = subprocess.run(command, check=False)
            if done.returncode:
                raise SystemExit(f"{method}: exit code {done.returncode}")
        results[method] = json.loads(written.read_text(encoding="utf-8"))
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--base", default="embedded:3", help="as models.base")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a key of finetune for all")
    parser.add_argument("--rate", action="append", default=[], metavar="METHOD=RATE", help="a learning rate for one")
    options = parser.parse_args()
    rates = dict(pair.split("=", 1) for pair in options.rate)
    if unknown := set(rates) - set(METHODS):
        parser.error(f"--rate: {', '.join(sorted(unknown))} is not a method; expected {', '.join(METHODS)}")
    results = run_methods(options.methods, options, rates)
    table = table_of(results)
    (options.out / "methods.md").write_text("\n".join(table) + "\n", encoding="utf-8")
    report = {"corpus": options.corpus.name, "base": options.base, "methods": results}
    (options.out / "methods.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print("\n" + "\n".join(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
