"""Writes replies and product copy from public sets as JSON lines for `finetune_generator.examples`.

`stc3_helpdesk`: the turn of the customer is the source, and that of the helpdesk is the text. The mean of the
annotators (S, from -2 to 2) must show that the customer is not dissatisfied. `advertisegen`: attributes and the copy
that states them; copy with <UNK> instead of a word is left out. The function of the clean stage cleans the texts and
masks personal data.

A tenth, by the hash of the text, is written to a second file that is not used for training.

    python benchmarks/generation_examples.py --data FOLDER --out FOLDER
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from generation_corpus import canonical

from reviewgen_spark.config import CleanSection
from reviewgen_spark.text.cleaning.cleaner import Cleaner
from reviewgen_spark.text.requests.request import Attribute, Source, TextRequest, length_of

MIN_SATISFACTION = -0.5
HELD_OUT = 0.1
MAX_CHARACTERS = 120


def replies(folder: Path, cleaner: Cleaner) -> Iterator[tuple[TextRequest, str]]:
    """Yields the turn of a customer and the reply of the helpdesk."""
    with (folder / "stc3_helpdesk" / "train_cn.jsonl").open(encoding="utf-8") as file:
        for line in file:
            dialogue = json.loads(line)
            votes = [float(vote["S"]) for vote in dialogue["quality"]]
            if votes and np.mean(votes) < MIN_SATISFACTION:
                continue
            for index, (question, reply) in enumerate(zip(dialogue["turns"], dialogue["turns"][1:], strict=False)):
                if (question["sender"], reply["sender"]) != ("customer", "helpdesk"):
                    continue
                source, text = (_clean(cleaner, "".join(turn["utterances"])) for turn in (question, reply))
                if source and text and len(text) <= MAX_CHARACTERS:
                    sources = (Source(f"{dialogue['id']}-{index}", source),)
                    yield TextRequest("reply", "-", "zh", length=length_of(text, "zh"), sources=sources), text


def copies(folder: Path, cleaner: Cleaner) -> Iterator[tuple[TextRequest, str]]:
    """Yields attributes and their product copy; the category is the attribute 类型."""
    with (folder / "advertisegen" / "dev.json").open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            pairs = [pair.partition("#")[::2] for pair in row["content"].split("*")]
            text = "" if "<UNK>" in row["summary"] else _clean(cleaner, row["summary"].replace("BRAND", ""))
            if text and len(text) <= MAX_CHARACTERS:
                category = next((value for name, value in pairs if name == "类型" and value), None)
                attributes = tuple(Attribute(name, value) for name, value in pairs if name and name != "类型")
                length = length_of(text, "zh")
                if attributes:
                    yield (
                        TextRequest("product_copy", "-", "zh", category=category, length=length, attributes=attributes),
                        text,
                    )


def _clean(cleaner: Cleaner, text: str) -> str:
    return canonical(cleaner.clean(text).text_clean or "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    cleaner = Cleaner(CleanSection())
    parts: dict[str, list[dict[str, Any]]] = {"train": [], "held_out": []}
    for request, text in (*replies(options.data, cleaner), *copies(options.data, cleaner)):
        share = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32
        row = {"request": json.loads(request.to_json()), "text": text}
        parts["held_out" if share < HELD_OUT else "train"].append(row)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, rows in parts.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (options.out / f"{name}.jsonl").write_text(lines, encoding="utf-8")
        by_purpose = {row["request"]["purpose"]: 0 for row in rows}
        for row in rows:
            by_purpose[row["request"]["purpose"]] += 1
        print(json.dumps({name: by_purpose}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
