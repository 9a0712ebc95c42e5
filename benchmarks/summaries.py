"""What extractive summaries and the faithfulness check are worth, on products with human summaries (FewSum).

Summaries: ROUGE F1 with stemming; the mean over a product's three human summaries, then over the products, as FewSum
scores. A random review is the mean over all of a product's reviews, so no seed is drawn. The interval is a bootstrap
over products. Faithfulness: sentences that people wrote of this product should be kept, and those that they wrote of
another product of the file, and sentences of reviews with their opinion turned round, dropped.

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
    """A file of FewSum: tab separated, rev1 to rev8, summ1 to summ3."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [
        Product(*([row[f"{name}{i}"] for i in range(1, n + 1)] for name, n in (("rev", 8), ("summ", 3))))
        for row in rows
    ]


def clustroid(reviews: Sequence[str]) -> str:
    """The review that is most like the others."""
    return max(
        reviews, key=lambda review: rouge(review, [other for other in reviews if other != review] or [""]).rouge1
    )


def lead(reviews: Sequence[str]) -> str:
    """The first sentence of each review."""
    return " ".join(sentences[0] for review in reviews if (sentences := cut_sentences(review)))


def summary_of(product: Product, reader: OpinionReader) -> Summary:
    reviews = [ReviewText(f"{place:02}", text, "en") for place, text in enumerate(product.reviews)]
    found = summarise(reviews, len(reviews), reader, SummariseSection())
    assert found is not None  # FewSum is English
    return found


def quotes(product: Product, reader: OpinionReader) -> str:
    return " ".join(claim.text for claim in summary_of(product, reader).claims if claim.kind == "quote")


def interval(values: Sequence[float], seed: int = 42, samples: int = 2000) -> tuple[float, float]:
    draw = random.Random(seed)
    means = sorted(sum(draw.choices(values, k=len(values))) / len(values) for _ in range(samples))
    return means[int(0.025 * samples)], means[int(0.975 * samples)]


def score_summaries(products: Sequence[Product], reader: OpinionReader) -> dict[str, list[Rouge]]:
    """The scores of each method, product by product."""
    methods: dict[str, Callable[[Product], Rouge]] = {
        "random review": lambda product: mean([rouge(review, product.references) for review in product.reviews]),
        "lead sentences": lambda product: rouge(lead(product.reviews), product.references),
        "clustroid review": lambda product: rouge(clustroid(product.reviews), product.references),
        "quotes": lambda product: rouge(quotes(product, reader), product.references),
        "quotes and counts": lambda product: rouge(summary_of(product, reader).text, product.references),
        "one person against the others": lambda product: mean(
            [
                rouge(text, product.references[:place] + product.references[place + 1 :])
                for place, text in enumerate(product.references)
            ]
        ),
    }
    return {name: [score(product) for product in products] for name, score in methods.items()}


def turned_round(sentence: str, reader: OpinionReader) -> str | None:
    """The sentence with its first opinion word that has an opposite in `OPPOSITES` replaced; None where none is, or
    where the word lists do not see the turn."""
    for match in re.finditer(r"[A-Za-z]+", sentence):
        opposite = _OPPOSITE.get(match[0].lower())
        if opposite:
            turned = sentence[: match.start()] + opposite + sentence[match.end() :]
            before, after = reader.read(sentence).score, reader.read(turned).score
            seen = (is_positive(before) and is_negative(after)) or (is_negative(before) and is_positive(after))
            return turned if seen else None
    return None


def score_faithfulness(products: Sequence[Product], reader: OpinionReader) -> dict[str, list[Judgement]]:
    """How sentences are judged that should be kept, and that should be dropped."""
    evidence = [
        Evidence([Source(f"{place:02}", text) for place, text in enumerate(product.reviews)], reader)
        for product in products
    ]
    found: dict[str, list[Judgement]] = {name: [] for name in (*KEPT, *DROPPED)}
    for place, (product, own) in enumerate(zip(products, evidence, strict=True)):
        another = evidence[(place + 1) % len(evidence)]
        sentences = [sentence for review in product.reviews for sentence in cut_sentences(review)]
        found["sentences of its reviews"] += own.judge(" ".join(product.reviews)).judgements
        found["quotes of the summary"] += own.judge(quotes(product, reader)).judgements
        for reference in product.references:
            found["human summaries of the product"] += own.judge(reference).judgements
            found["human summaries of another product"] += another.judge(reference).judgements
        for sentence in sentences:
            turned = turned_round(sentence, reader)
            if turned is not None:
                found["reviews turned round"] += own.judge(turned).judgements
                found["the same as they stood"] += own.judge(sentence).judgements
    return found


KEPT = ("sentences of its reviews", "quotes of the summary", "human summaries of the product", "the same as they stood")
DROPPED = ("human summaries of another product", "reviews turned round")


def print_scores(table: dict[str, list[Rouge]]) -> dict[str, dict[str, float]]:
    """A line a method, in points of ROUGE; the same figures for the file."""
    print(f"{'':<36}{'R-1':>7}{'95 % interval':>16}{'R-2':>7}{'R-L':>7}")
    found = {}
    for method, scores in table.items():
        figures = [100 * value for value in (*mean(scores), *interval([score.rouge1 for score in scores]))]
        one, two, longest, low, high = (round(value, 2) for value in figures)
        found[method] = {"rouge1": one, "rouge2": two, "rouge_l": longest, "low": low, "high": high}
        print(f"{method:<36}{one:>7.2f}{f'[{low:.1f}, {high:.1f}]':>16}{two:>7.2f}{longest:>7.2f}")
    return found


def print_judgements(table: dict[str, list[Judgement]]) -> dict[str, dict[str, float]]:
    """A line a kind of sentence; the same figures for the file."""
    print(f"{'faithfulness':<36}{'sentences':>10}{'kept':>8}{'should be':>12}")
    found: dict[str, dict[str, float]] = {}
    for kind, judgements in table.items():
        kept = sum(judgement.reason is None for judgement in judgements) / max(len(judgements), 1)
        found[kind] = {"sentences": len(judgements), "kept": round(kept, 4)}
        print(f"{kind:<36}{len(judgements):>10}{kept:>8.3f}{'kept' if kind in KEPT else 'dropped':>12}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of amazon_<part>.csv and yelp_<part>.csv")
    parser.add_argument("--part", default="val", help="train was tuned on (default val)")
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
