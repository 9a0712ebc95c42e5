"""Tests the training corpora: labels, aspects and unlabelled texts."""

from reviewgen_spark.transforms.corpus import labelled_aspects, labelled_reviews, unlabelled_reviews
from tests.spark.conftest import Table, values_by_id


def test_the_corpus_has_the_newest_gold_label_and_no_contradictory_copies(table: Table) -> None:
    ids = ("a", "b", "c", "c2", "e", "n")
    reviews = table(
        "silver_reviews", *({"record_id": i, "text_clean": None if i == "e" else f"text {i}", "rating": 3} for i in ids)
    )
    clusters = table(
        "silver_review_clusters",
        *({"record_id": i, "cluster_id": i} for i in ("a", "b", "c", "e", "n")),
        {"record_id": "c2", "cluster_id": "c", "duplicate_of": "c", "duplicate_kind": "exact"},
    )
    splits = table("silver_review_splits", *({"record_id": i, "cluster_id": i, "split": "train"} for i in ids))
    gold = table(
        "bronze_gold_labels",
        *(
            {"review_id": i, "task": "sentiment", "label": label, "source": "s", "batch_id": batch}
            for i, label, batch in (
                ("a", "negative", 1),
                ("a", "positive", 2),
                ("b", "negative", 1),
                ("c", "negative", 1),
                ("c2", "positive", 1),
                ("e", "positive", 1),
            )
        ),
    )
    weak = table("silver_weak_labels", {"record_id": "n", "weak_label": "positive"})
    assert values_by_id(labelled_reviews(reviews, clusters, splits, gold, weak, "gold"), "label") == {"a": 1, "b": 0}
    assert values_by_id(labelled_reviews(reviews, clusters, splits, gold, weak, "weak"), "label") == {"n": 1}
    assert values_by_id(labelled_reviews(reviews, clusters, splits, gold, weak, "rating"), "label") == {}


def test_an_aspect_corpus_has_one_row_for_each_review_and_aspect(table: Table) -> None:
    ids = ("a", "b", "c", "c2", "e")
    reviews = table(
        "silver_reviews",
        *(
            {"record_id": i, "review_id": i, "text_clean": None if i == "e" else f"text {i}", "category": "手机"}
            for i in ids
        ),
    )
    clusters = table(
        "silver_review_clusters",
        *({"record_id": i, "cluster_id": i} for i in ("a", "b", "c", "e")),
        {"record_id": "c2", "cluster_id": "c", "duplicate_of": "c", "duplicate_kind": "exact"},
    )
    splits = table(
        "silver_review_splits",
        *({"record_id": i, "cluster_id": i, "split": "none" if i == "b" else "train"} for i in ids),
    )
    gold = table(
        "bronze_gold_labels",
        *(
            {"review_id": i, "task": task, "label": label, "source": "s", "batch_id": batch}
            for i, task, label, batch in (
                ("a", "aspect:屏幕", "negative", 1),
                ("a", "aspect:屏幕", "positive", 2),
                ("a", "aspect:电池:容量", "neutral", 1),
                ("a", "sentiment", "negative", 3),
                ("b", "aspect:屏幕", "positive", 1),
                ("c", "aspect:屏幕", "negative", 1),
                ("c", "aspect:电池", "negative", 1),
                ("c2", "aspect:屏幕", "positive", 1),
                ("e", "aspect:屏幕", "positive", 1),
            )
        ),
    )
    corpus = labelled_aspects(reviews, clusters, splits, gold)
    assert sorted(tuple(row) for row in corpus.select("text", "aspect", "polarity", "category", "split").collect()) == [
        ("text a", "屏幕", "positive", "手机", "train"),
        ("text a", "电池:容量", "neutral", "手机", "train"),
        ("text c", "电池", "negative", "手机", "train"),  # its copy contradicts it on the screen only
    ]
    assert labelled_aspects(reviews, clusters, splits, gold.limit(0)).count() == 0
    repartitioned = labelled_aspects(reviews.repartition(7), clusters, splits, gold.repartition(7))
    assert sorted(map(tuple, repartitioned.collect())) == sorted(map(tuple, corpus.collect()))


def test_the_pretraining_corpus_never_reads_the_test_split(table: Table) -> None:
    ids = {"train": "train", "validation": "validation", "test": "test", "none": "none", "copy": "train"}
    ids |= {"empty": "train", "default": "train"}
    reviews = table(
        "silver_reviews",
        *(
            {"record_id": i, "text_clean": None if i == "empty" else f"text {i}", "quality_flags": []}
            | ({"quality_flags": ["boilerplate"]} if i == "default" else {})
            for i in ids
        ),
    )
    clusters = table(
        "silver_review_clusters",
        *({"record_id": i, "cluster_id": i} for i in ids if i != "copy"),
        {"record_id": "copy", "cluster_id": "train", "duplicate_of": "train", "duplicate_kind": "exact"},
    )
    splits = table("silver_review_splits", *({"record_id": i, "cluster_id": i, "split": s} for i, s in ids.items()))
    values = values_by_id(unlabelled_reviews(reviews, clusters, splits), "text", "split")
    assert values == {"train": ("text train", "train"), "validation": ("text validation", "validation")}
