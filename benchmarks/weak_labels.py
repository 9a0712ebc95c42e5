"""Scores weak labels: each voter, the majority vote and the label model against the gold labels of a file.

The file is a CSV with a text column and a 0/1 label column; gold labels are used only for the comparison.

    python benchmarks/weak_labels.py --data FILE --text review --label label --voters lexicon snownlp --rows 2000
"""

import argparse
import csv
import random
import sys
from collections import Counter
from pathlib import Path

from reviewgen_spark.config import CleanSection, TokensSection, WeakLabelsSection
from reviewgen_spark.text.cleaning.cleaner import Cleaner
from reviewgen_spark.text.opinions.label_model import fit_label_model, majority
from reviewgen_spark.text.opinions.labelling_functions import Ballot, Voters
from reviewgen_spark.text.words.tokeniser import Tokeniser
from reviewgen_spark.transforms.dictionaries import driver_dictionaries


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--text", required=True, help="column of the texts")
    parser.add_argument("--label", required=True, help="column of the labels: 1 positive, 0 negative")
    parser.add_argument("--voters", nargs="+", default=["lexicon", "vader", "textblob"])
    parser.add_argument("--min-probability", type=float, default=WeakLabelsSection().min_probability)
    parser.add_argument("--rows", type=int, default=2000, help="rows drawn, seed 1 (default 2000)")
    options = parser.parse_args()
    with options.data.open(encoding="utf-8-sig", newline="") as file:
        rows = [(row[options.text], row[options.label]) for row in csv.DictReader(file) if row[options.text]]
    rows = random.Random(1).sample(rows, min(options.rows, len(rows)))
    section = WeakLabelsSection(voters=tuple(options.voters), min_probability=options.min_probability)
    cleaner, folder = Cleaner(CleanSection()), driver_dictionaries()
    tokeniser, voters = Tokeniser(TokensSection(), folder), Voters(section, folder)
    votes_by_row: list[tuple[str, dict[str, str]]] = []
    for text, label in rows:
        row = cleaner.clean(text)
        if row.text_clean:
            ballot = Ballot(row.text_clean, tokeniser.words(row.text_clean).tokens, row.lang_code, None)
            votes_by_row.append(("positive" if label == "1" else "negative", voters.votes(ballot)))
    model = fit_label_model(Counter(frozenset(votes.items()) for _, votes in votes_by_row))
    judged: dict[str, list[tuple[str, str | None]]] = {
        voter: [(gold, votes.get(voter)) for gold, votes in votes_by_row] for voter in section.voters
    }
    judged["majority vote"] = [(gold, majority(frozenset(votes.items()))) for gold, votes in votes_by_row]
    judged["label model"] = []
    for gold, votes in votes_by_row:
        positive = model.positive(frozenset(votes.items())) if votes else 0.5
        label = "positive" if positive >= 0.5 else "negative"
        judged["label model"].append((gold, label if max(positive, 1 - positive) >= section.min_probability else None))
    # the same reviews for both, because the label model also decides some that the majority does not
    decided = [index for index, (_, label) in enumerate(judged["majority vote"]) if label]
    judged["label model, where the majority decides"] = [judged["label model"][index] for index in decided]
    print(
        f"{options.data.name}: {len(votes_by_row):,} reviews\n{'':<42}{'coverage':>10}{'accuracy':>10}{'estimated':>11}"
    )
    for name, pairs in judged.items():
        spoken = [(gold, label) for gold, label in pairs if label]
        accuracy = sum(gold == label for gold, label in spoken) / max(len(spoken), 1)
        estimate = f"{model.accuracies[name]:>11.3f}" if name in model.accuracies else ""
        print(f"{name:<42}{len(spoken) / len(votes_by_row):>10.3f}{accuracy:>10.3f}{estimate}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
