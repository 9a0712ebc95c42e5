"""Scores extractive summaries and the faithfulness check on products with human summaries (FewSum).

Summaries: ROUGE F1 with stemming; the mean over the three human summaries of a product, then over the products, as in
FewSum. The score of a random review is the mean over all reviews of a product, so there is no seed. The interval is a
bootstrap over products. Faithfulness: sentences of people about this product should be kept. Their sentences about
another product, and sentences of reviews with a reversed opinion, should be dropped.

    python benchmarks/summaries.py --data FOLDER --part val --json summaries.json
"""

import argparse
import csv
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rouge import Rouge, mean, rouge
from turns import bar, conclude

from reviewgen_spark.config import SummariseSection, TokensSection
from reviewgen_spark.text.checks.faithfulness import Evidence, Judgement
from reviewgen_spark.text.opinions.aspects import OpinionReader, is_negative, is_positive
from reviewgen_spark.text.requests.request import Source
from reviewgen_spark.text.summaries.sentences import ReviewText
from reviewgen_spark.text.summaries.summary import Summary, summarise
from reviewgen_spark.text.words.sentences import cut_sentences
from reviewgen_spark.transforms.dictionaries import driver_dictionaries

BARS = {"amazon": 30.0, "yelp": 29.0}
OPPOSITES = (
    ("good", "bad"), ("great", "terrible"), ("excellent", "awful"), ("best", "worst"), ("love", "hate"),
    ("loved", "hated"), ("perfect", "useless"), ("nice", "horrible"), ("delicious", "disgusting"),
    ("friendly", "rude"), ("comfortable", "uncomfortable"), ("beautiful", "ugly"), ("easy", "difficult"),
    ("amazing", "disappointing"), ("happy", "unhappy"),
)  # fmt: skip
_OPPOSITE = {one: other for pair in OPPOSITES for one, other in (pair, pair[::-1])}


class Product(NamedTuple):
    reviews: list[str]
    references: list[str]


def read_products(path: Path) -> list[Product]:
    """Reads a file of FewSum: tab separated, rev1 to rev8, summ1 to summ3."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [
        Product(*([row[f"{name}{i}"] for i in range(1, n + 1)] for name, n in (("rev", 8), ("summ", 3))))
        for row in rows
    ]


def clustroid(reviews: Sequence[str]) -> str:
    """Returns the review that is most similar to the others."""
    return max(
        reviews, key=lambda review: rouge(review, [other for other in reviews if other != review] or [""]).rouge1
    )


def lead(reviews: Sequence[str]) -> str:
    """Returns the first sentence of each review."""
    return " ".join(sentences[0] for review in reviews if (sentences := cut_sentences(review)))


def summary_of(product: Product, reader: OpinionReader) -> Summary:
    reviews = [ReviewText(f"{index:02}", text, "en") for index, text in enumerate(product.reviews)]
    summary = summarise(reviews, len(reviews), reader, SummariseSection())
    assert summary is not None  # FewSum is English
    return summary


def quotes(product: Product, reader: OpinionReader) -> str:
    return " ".join(claim.text for claim in summary_of(product, reader).claims if claim.kind == "quote")


def interval(values: Sequence[float], seed: int = 42, samples: int = 2000) -> tuple[float, float]:
    draw = random.Random(seed)
    means = sorted(sum(draw.choices(values, k=len(values))) / len(values) for _ in range(samples))
    return means[int(0.025 * samples)], means[int(0.975 * samples)]


def score_summaries(products: Sequence[Product], reader: OpinionReader) -> dict[str, list[Rouge]]:
    """Returns the scores of each method by product."""
    methods: dict[str, Callable[[Product], Rouge]] = {
        "random review": lambda product: mean([rouge(review, product.references) for review in product.reviews]),
        "lead sentences": lambda product: rouge(lead(product.reviews), product.references),
        "clustroid review": lambda product: rouge(clustroid(product.reviews), product.references),
        "quotes": lambda product: rouge(quotes(product, reader), product.references),
        "quotes and counts": lambda product: rouge(summary_of(product, reader).text, product.references),
        "one person against the others": lambda product: mean(
            [
                rouge(text, product.references[:index] + product.references[index + 1 :])
                for index, text in enumerate(product.references)
            ]
        ),
    }
    return {name: [score(product) for product in products] for name, score in methods.items()}


def reverse_opinion(sentence: str, reader: OpinionReader) -> str | None:
    """Returns a sentence with its first word in `OPPOSITES` replaced by the opposite.

    Returns None without such a word, or if the word lists do not detect the change.
    """
    for match in re.finditer(r"[A-Za-z]+", sentence):
        opposite = _OPPOSITE.get(match[0].lower())
        if opposite:
            reversed_sentence = sentence[: match.start()] + opposite + sentence[match.end() :]
            before, after = reader.read(sentence).score, reader.read(reversed_sentence).score
            is_detected = (is_positive(before) and is_negative(after)) or (is_negative(before) and is_positive(after))
            return reversed_sentence if is_detected else None
    return None


def score_faithfulness(products: Sequence[Product], reader: OpinionReader) -> dict[str, list[Judgement]]:
    """Returns the judgements of sentences that should be kept or dropped."""
    evidence = [
        Evidence([Source(f"{index:02}", text) for index, text in enumerate(product.reviews)], reader)
        for product in products
    ]
    judgements: dict[str, list[Judgement]] = {name: [] for name in (*KEPT, *DROPPED)}
    for index, (product, own) in enumerate(zip(products, evidence, strict=True)):
        another = evidence[(index + 1) % len(evidence)]
        sentences = [sentence for review in product.reviews for sentence in cut_sentences(review)]
        judgements["sentences of its reviews"] += own.judge(" ".join(product.reviews)).judgements
        judgements["quotes of the summary"] += own.judge(quotes(product, reader)).judgements
        for reference in product.references:
            judgements["human summaries of the product"] += own.judge(reference).judgements
            judgements["human summaries of another product"] += another.judge(reference).judgements
        for sentence in sentences:
            reversed_sentence = reverse_opinion(sentence, reader)
            if reversed_sentence is not None:
                judgements["reviews turned round"] += own.judge(reversed_sentence).judgements
                judgements["the same as they stood"] += own.judge(sentence).judgements
    return judgements


KEPT = ("sentences of its reviews", "quotes of the summary", "human summaries of the product", "the same as they stood")
DROPPED = ("human summaries of another product", "reviews turned round")


def print_scores(table: dict[str, list[Rouge]]) -> dict[str, dict[str, float]]:
    """Prints one line for each method, in points of ROUGE, and returns the same figures."""
    print(f"{'':<36}{'R-1':>7}{'95 % interval':>16}{'R-2':>7}{'R-L':>7}")
    figures_by_method = {}
    for method, scores in table.items():
        figures = [100 * value for value in (*mean(scores), *interval([score.rouge1 for score in scores]))]
        one, two, longest, low, high = (round(value, 2) for value in figures)
        figures_by_method[method] = {"rouge1": one, "rouge2": two, "rouge_l": longest, "low": low, "high": high}
        print(f"{method:<36}{one:>7.2f}{f'[{low:.1f}, {high:.1f}]':>16}{two:>7.2f}{longest:>7.2f}")
    return figures_by_method


def print_judgements(table: dict[str, list[Judgement]]) -> dict[str, dict[str, float]]:
    """Prints one line for each kind of sentence, and returns the same figures."""
    print(f"{'faithfulness':<36}{'sentences':>10}{'kept':>8}{'should be':>12}")
    figures: dict[str, dict[str, float]] = {}
    for kind, judgements in table.items():
        kept_share = sum(judgement.reason is None for judgement in judgements) / max(len(judgements), 1)
        figures[kind] = {"sentences": len(judgements), "kept": round(kept_share, 4)}
        print(f"{kind:<36}{len(judgements):>10}{kept_share:>8.3f}{'kept' if kind in KEPT else 'dropped':>12}")
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of amazon_<part>.csv and yelp_<part>.csv")
    parser.add_argument("--part", default="val", help="part of the data; train was used for tuning (default val)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    reader = OpinionReader(TokensSection(), driver_dictionaries())
    bars, files = [], {}
    for name, least in BARS.items():
        products = read_products(options.data / f"{name}_{options.part}.csv")
        print(f"\n{name}_{options.part}: {len(products)} products")
        table = print_scores(score_summaries(products, reader))
        start = time.perf_counter()
        for product in products:
            summary_of(product, reader)
        print(f"{1000 * (time.perf_counter() - start) / len(products):.1f} ms a product of 8 reviews")
        judged = print_judgements(score_faithfulness(products, reader))
        bars.append(bar(f"ROUGE-1 of the quotes, {name}", table["quotes"]["rouge1"], least))
        files[name] = {"products": len(products), "summaries": table, "faithfulness": judged}
    rows = sum(file["products"] for file in files.values())
    conclude("summaries", rows, f"FewSum, {options.part}", bars, options.json, full=options.part == "val", **files)
    return 0 if all(item["holds"] for item in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
