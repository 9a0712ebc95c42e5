"""B7: kills nightly runs of 20 batches with SIGKILL at random moments, and runs each again to the end.

One pass over the same input without a kill gives the expected content of every table and the number of model calls. A
trial restores the tables from before a stage and starts the stage. It kills driver and JVM at a uniformly random moment
between its first and last line. Then it runs the same command again. 14 of 20 trials kill `label` and continue to the
report. The others kill ingest, dedup, the roll-up or the promotion of a model, and continue to the end of that stage.
Two more tests follow: two runs that start at once; and a driver that is stopped with SIGSTOP while it labels, loses its
lease to another run and continues afterwards.

    python benchmarks/b7_kill.py --json benchmarks/results/b7_kill.json

Twenty trials take an hour and a half. `--minutes` limits the time, and `--earlier` resumes such a run: another pass,
then the rest of the same plan.
"""

import argparse
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "contestants"))

from counting_daemon import FOLDER, count_calls
from turns import FOLDER as BENCHMARKS
from turns import bar, conclude

from reviewgen_spark.operations.demo.sample import write_sample

BATCHES, PASSES_BAR = 20, 1.10
TINY = ("models.base=scratch:tiny", "finetune.epochs=1", "finetune.max_tokens=32", "evaluate.bootstrap_samples=100",
        "evaluate.robustness_rows=0", "label.max_error_pct=10", "label.partitions=2", "spark.master=local[2,2]",
        "spark.driver_memory=2g", "spark.shuffle_partitions=2",
        "spark.extra={spark.python.daemon.module: counting_daemon}")  # fmt: skip


@dataclass(frozen=True)
class Step:
    """A part of the pipeline: the stage that is killed, and where its rerun ends."""

    stage: str
    pipeline: str
    until: str
    trials: int  # of 20


# In the order of a first run; the tables of a step are restored to the end of the step before.
STEPS = (
    Step("ingest", "nightly", "ingest", 2),
    Step("clean", "nightly", "clean", 0),
    Step("dedup", "nightly", "dedup", 2),
    Step("tokens", "nightly", "weak_labels", 0),
    Step("evaluate", "train", "evaluate", 0),
    Step("register", "train", "register", 1),
    Step("label", "nightly", "report", 14),
)
ROLL_UP = Step("satisfaction", "nightly", "report", 1)


class Warehouse:
    """A root folder that can be restored; all trials use the same one, because MLflow stores absolute paths."""

    def __init__(self, folder: Path, overrides: tuple[str, ...]) -> None:
        self.folder, self.root, self.overrides = folder, folder / "root", overrides

    def save(self, name: str) -> None:
        shutil.copytree(self.root, self.folder / name, symlinks=True)

    def restore(self, name: str) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self.folder / name, self.root, symlinks=True)

    def calls(self) -> Path:
        return self.folder / "calls"

    def start(self, step: Step, *more: str) -> subprocess.Popen[str]:
        """Starts the command of the step as the leader of a process group."""
        self.calls().mkdir(exist_ok=True)
        script = BENCHMARKS / "contestants" / "engine_night.py"
        settings = [part for one in (*TINY, *self.overrides) for part in ("--set", one)]
        until = ("--until", step.until) if step.until != "report" else ()
        path = f"{BENCHMARKS / 'contestants'}:{BENCHMARKS.parent}"
        return subprocess.Popen(
            [sys.executable, str(script), "--root", str(self.root), "--pipeline", step.pipeline, "--digest", *until,
             *settings, *more],
            env={**os.environ, "PYTHONPATH": path, FOLDER: str(self.calls()), "PYSPARK_PYTHON": sys.executable,
                 "REVIEWGEN_USER_KEY": "a key for benchmarks, not a secret"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Waits for a process and returns its JSON output."""
    out, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}\n{errors[-3000:]}")
    output: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return output


def await_line(process: subprocess.Popen[str], stage: str) -> bool:
    """Waits until the stage has started a batch; returns False if the process ends before."""
    assert process.stderr is not None
    return any(f"[{stage}] " in line and line.rstrip().endswith("started") for line in process.stderr)


def watch(process: subprocess.Popen[str], stages: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, float]]:
    """Waits for a process; returns its output and, for each stage, the seconds from its first to its last line."""
    assert process.stderr is not None and process.stdout is not None
    spans: dict[str, tuple[float, float]] = {}
    lines = []
    for line in process.stderr:
        lines.append(line)
        for stage in stages:
            if f"[{stage}] " in line:
                first = spans.get(stage, (time.monotonic(), 0.0))[0]
                spans[stage] = (first, time.monotonic())
    out = process.stdout.read()
    if process.wait():
        raise RuntimeError(f"exit code {process.returncode}\n{''.join(lines)[-3000:]}")
    return json.loads(out.strip().splitlines()[-1]), {name: end - first for name, (first, end) in spans.items()}


def end(process: subprocess.Popen[str], how: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # the process has already ended
        os.killpg(process.pid, how)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def plan_trials(trials: int, draw: random.Random) -> list[Step]:
    """Returns the steps to kill in a random order, in the shares of the 20 trials."""
    rare = [step for step in (*STEPS, ROLL_UP) if step.stage != "label" for _ in range(step.trials)]
    draw.shuffle(rare)
    label = next(step for step in STEPS if step.stage == "label")
    others = min(len(rare), max(round(trials * len(rare) / BATCHES), 1 if trials > 1 else 0))
    plan = [*rare[:others], *[label] * (trials - others)]
    draw.shuffle(plan)
    return plan


def remaining(plan: list[Step], done: list[str]) -> list[Step]:
    """Returns the rest of the plan after trials that killed these stages."""
    rest_of_plan = list(plan)
    for stage in done:
        rest_of_plan.remove(next(step for step in rest_of_plan if step.stage == stage))
    return rest_of_plan


def differing(expected: dict[str, str], actual: dict[str, str]) -> list[str]:
    return sorted(name for name in {*expected, *actual} if expected.get(name) != actual.get(name))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20, help="kills (default 20)")
    parser.add_argument("--rows", type=int, default=1_000, help="rows of the sample, in 20 batches (default 1,000)")
    parser.add_argument("--batches", type=int, default=BATCHES, help="batches (default 20)")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="start no trial after these minutes (default none)"
    )
    parser.add_argument("--seed", type=int, default=7, help="seed of stages and moments")
    parser.add_argument("--skip-lease", action="store_true", help="skip the concurrent runs and the stopped driver")
    parser.add_argument("--earlier", type=Path, help="figures of an incomplete run; only the rest is run")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="b7-") as folder:
        return run(options, Path(folder), draw)


def run(options: argparse.Namespace, folder: Path, draw: random.Random) -> int:
    warehouse = Warehouse(folder, (f"ingest.max_rows_per_batch={-(-options.rows * 21 // (20 * options.batches))}",))
    write_sample(warehouse.root / "landing", options.rows)
    expected: dict[str, dict[str, str]] = {}
    spans: dict[str, float] = {}
    started = time.monotonic()
    for step in STEPS:
        warehouse.save(step.stage)
        output, seen = watch(warehouse.start(step), (step.stage, ROLL_UP.stage))
        expected[step.stage] = output["digest"]
        spans |= seen
        print(f"  one pass, up to {step.until:<14} {output['seconds']:8.1f} s", flush=True)
    expected[ROLL_UP.stage] = expected["label"]
    warehouse.save("end")
    called = count_calls(warehouse.calls())
    rows = int(expected["label"]["gold_review_labels"].split()[0])
    batches = len(list((warehouse.root / "warehouse" / "gold_review_labels").glob("batch_id=*")))
    took = time.monotonic() - started
    print(f"  {rows:,} rows labelled in {batches} batches, {called:,} calls, {took:.0f} s; trials:", flush=True)

    earlier = (
        json.loads(options.earlier.read_text(encoding="utf-8")) if options.earlier else {"trials": [], "lease": {}}
    )
    lease: dict[str, list[str]] = earlier["lease"]
    if not options.skip_lease:
        lease = {"together": together(warehouse, expected), "stopped": stopped(warehouse, expected, draw)}
    for name, faults in lease.items():
        print(f"  {name}: {faults or 'as it must be'}", flush=True)
    trials: list[dict[str, Any]] = list(earlier["trials"])
    rest = remaining(plan_trials(options.trials, draw), [trial["stage"] for trial in trials])
    for number, step in enumerate(rest, start=len(trials) + 1):
        if time.monotonic() - started > 60 * options.minutes:
            print(f"  {options.minutes:g} minutes are over: no further trial", flush=True)
            break
        trials.append(kill_once(warehouse, step, spans[step.stage], draw, expected[step.stage], called))
        print(f"  {number:>3}/{options.trials} {trials[-1]}", flush=True)

    labelled = [trial["passes"] for trial in trials if trial["stage"] == "label"]
    others = [trial for trial in trials if trial["stage"] != "label"]
    bars = [
        bar("trials whose tables differ from one pass nobody killed", sum(bool(t["differs"]) for t in trials), 0, True),
        bar("most passes of the model in a trial", max([*labelled, 0.0]), PASSES_BAR, True),
        bar("trials that hit other stages, of 20", len(others) * BATCHES / max(len(trials), 1), 6),
        *(bar(f"{name}: faults", len(faults), 0, True) for name, faults in lease.items()),
    ]
    conclude(
        "B7",
        options.rows,
        f"the sample in {batches} batches; {len(trials)} trials, seed {options.seed}"
        + (f", the first {len(earlier['trials'])} of them in an earlier sitting" if options.earlier else ""),
        bars,
        options.json,
        full=len(trials) >= 20 and batches >= BATCHES,
        trials=trials,
        lease=lease,
    )
    return 0


def kill_once(
    warehouse: Warehouse, step: Step, span_s: float, draw: random.Random, expected: dict[str, str], called: int
) -> dict[str, Any]:
    """Runs one trial and returns its figures.

    The moment is uniform over the true time of the stage. If the stage ends earlier, another one is drawn.
    """
    misses = 0
    while True:
        warehouse.restore("label" if step is ROLL_UP else step.stage)
        shutil.rmtree(warehouse.calls())
        first = warehouse.start(step)
        after_s = span_s * draw.random()
        if not await_line(first, step.stage):
            raise RuntimeError(f"{step.stage} ended without having started on anything")
        started = time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            first.wait(after_s)
        is_hit = first.returncode is None
        span_s = time.monotonic() - started
        end(first, signal.SIGKILL)
        if is_hit:
            break
        misses += 1
    rerun = finish(warehouse.start(step))
    passes = count_calls(warehouse.calls()) / called if step.stage == "label" else 0.0
    return {
        "stage": step.stage,
        "after_s": round(after_s, 1),
        "misses": misses,
        "passes": round(passes, 3),
        "differs": differing(expected, rerun["digest"]),
    }


def together(warehouse: Warehouse, expected: dict[str, dict[str, str]]) -> list[str]:
    """Starts two runs at once: one completes, the other exits with 5 and names it; the tables equal those of one."""
    step = next(step for step in STEPS if step.stage == "ingest")
    warehouse.restore("ingest")
    processes = [warehouse.start(step) for _ in range(2)]
    outputs = [process.communicate() for process in processes]
    codes = [process.returncode for process in processes]
    if sorted(codes) != [0, 5]:
        return [f"exit codes {codes}"]
    output = json.loads(outputs[codes.index(0)][0].strip().splitlines()[-1])
    faults = differing(expected["ingest"], output["digest"])
    return faults + ([] if "warehouse" in outputs[codes.index(5)][1] else ["the refused run does not name the other"])


def stopped(warehouse: Warehouse, expected: dict[str, dict[str, str]], draw: random.Random) -> list[str]:
    """Stops a driver while it labels; another takes over its expired lease, then the first one continues."""
    step = next(step for step in STEPS if step.stage == "label")
    warehouse.restore("label")
    short = ("--set", "lease.heartbeat_s=1", "--set", "lease.ttl_s=8")
    first = warehouse.start(step, *short)
    if not await_line(first, "label"):
        end(first, signal.SIGKILL)
        return ["it ended before it labelled"]
    time.sleep(draw.uniform(0, 10))
    os.killpg(first.pid, signal.SIGSTOP)
    time.sleep(9)
    output = finish(warehouse.start(step, *short))
    os.killpg(first.pid, signal.SIGCONT)
    _, errors = first.communicate()
    faults = [f"tables differ: {name}" for name in differing(expected["label"], output["digest"])]
    if first.returncode != 5 or ("may no longer write" not in errors and "lost the warehouse" not in errors):
        faults.append(f"the stopped driver ended with {first.returncode}")
    after = finish(warehouse.start(step, *short))
    return faults + [f"changed by the stopped driver: {name}" for name in differing(output["digest"], after["digest"])]


if __name__ == "__main__":
    sys.exit(main())
