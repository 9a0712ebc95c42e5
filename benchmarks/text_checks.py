"""Measures how often the checks of generated texts fail on human texts: reviews, product copy, answers.

People write superlatives, insults and phone numbers, so not every failure is a false alarm. `--show CHECK` prints the
texts that fail, for reading. The word lists were written with rows that `--skip` leaves out.

    python benchmarks/text_checks.py --data FOLDER --rows 4000 --skip 4000 --json checks.json
"""

import argparse
import csv
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from reviewgen_spark.config import ChecksSection
from reviewgen_spark.text.checks.checks import CheckLists, TextCheck, check_text
from reviewgen_spark.text.requests.prompt_injection import is_injection
from reviewgen_spark.text.requests.request import Attribute, TextRequest, length_of
from reviewgen_spark.text.similarity.copied_runs import CopyIndex
from reviewgen_spark.text.words.languages import LangCode

CONF = Path(__file__).parents[1] / "conf"


def read_sets(data: Path, rows: int, skip: int, seed: int = 7) -> dict[str, tuple[LangCode, list[str]]]:
    """Returns shuffled texts by their kind, `rows` of each after the first `skip`."""
    with (data / "online_shopping_10_cats" / "online_shopping_10_cats.csv").open(encoding="utf-8-sig") as file:
        shopping = [row["review"] for row in csv.DictReader(file)]
    unlabelled = (data / "eprstmt" / "unlabeled.json").read_text(encoding="utf-8").splitlines()
    copies = (data / "advertisegen" / "dev.json").read_text(encoding="utf-8").splitlines()
    polarity = (data / "amazon_polarity10k" / "amazon.train.dat").read_text(encoding="utf-8", errors="replace")
    dialogues = (data / "stc3_helpdesk" / "train_cn.jsonl").read_text(encoding="utf-8").splitlines()
    turns = [turn for line in dialogues for turn in json.loads(line)["turns"] if turn["sender"] == "helpdesk"]
    sets: dict[str, tuple[LangCode, list[str]]] = {
        "reviews, online_shopping_10_cats": ("zh", shopping),
        "reviews, eprstmt": ("zh", [json.loads(line)["sentence"] for line in unlabelled]),
        "reviews, amazon_polarity10k": ("en", [line.split("$LABEL$")[0] for line in polarity.splitlines()]),
        # <UNK> replaces a brand or a rare word in this set
        "product copy, advertisegen": ("zh", [json.loads(line)["summary"].replace("<UNK>", "") for line in copies]),
        "answers, stc3_helpdesk": ("zh", ["".join(turn["utterances"]) for turn in turns]),
    }
    chosen = {}
    for name, (lang_code, texts) in sets.items():
        texts = [text for text in texts if text.strip()]
        random.Random(seed).shuffle(texts)
        chosen[name] = (lang_code, texts[skip : skip + rows] if len(texts) > skip + rows else texts[-rows:])
    return chosen


def checks_of(text: str, lang_code: LangCode, lists: CheckLists) -> list[TextCheck]:
    """Runs every check except sentiment, category and copying, which need more than a text."""
    request = TextRequest(
        "product_copy", "p", lang_code, length=length_of(text, lang_code), attributes=(Attribute("name", "value"),)
    )
    checks = [check for check in check_text(text, request, lists, ChecksSection()) if check.name != "copying"]
    is_injected = is_injection(text)
    return [*checks, TextCheck("injection", float(is_injected), not is_injected, "reads like an instruction")]


def copied_share(texts: Sequence[str], lang_code: LangCode) -> dict[str, float]:
    """Returns the percentage of real reviews that share a run with 3,000 other reviews that are not their copies."""
    section = ChecksSection()
    limit = section.max_copied_zh if lang_code == "zh" else section.max_copied_en
    index = CopyIndex.build(texts[: min(3_000, len(texts) // 2)], lang_code)
    rest = texts[-min(1_000, len(texts) // 2) :]
    return {
        "share_pct": round(100 * sum(index.longest_run(text) > limit for text in rest) / len(rest), 2),
        "rows": len(rest),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--skip", type=int, default=4_000)
    parser.add_argument("--show", metavar="CHECK", help="print the texts that fail this check, with the reason")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    lists = CheckLists.load(CONF / "safety", CONF / "dictionaries")
    figures = {}
    for name, (lang_code, texts) in read_sets(options.data, options.rows, options.skip).items():
        fired: Counter[str] = Counter()
        started = time.perf_counter()
        for text in texts:
            for check in checks_of(text, lang_code, lists):
                if not check.is_passed:
                    fired[check.name] += 1
                    if check.name == options.show:
                        print(f"{name}\t{check.reason}\t{text}".replace("\n", " "))
        seconds = time.perf_counter() - started
        figures[name] = {
            "rows": len(texts),
            "microseconds_a_text": round(seconds / len(texts) * 1e6),
            "fired_pct": {check: round(100 * count / len(texts), 2) for check, count in sorted(fired.items())},
            "copied": copied_share(texts, lang_code),
        }
        if not options.show:
            print(name, json.dumps(figures[name]))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
