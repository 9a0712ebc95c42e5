from datetime import timedelta

from pyspark.sql import DataFrame

from reviewgen_spark.config import SatisfactionSection
from reviewgen_spark.products.satisfaction import satisfaction_by_product
from reviewgen_spark.transforms.facts import current_product_facts, product_facts
from reviewgen_spark.transforms.links import link_batches, superseded_reviews
from tests.spark.conftest import DAY, Table


def reviews(table: Table, *rows: tuple[str, str, int, int]) -> DataFrame:
    """Returns silver_reviews of (record_id, review_id, batch_id, day of the edit)."""
    made = (
        {"record_id": r, "review_id": v, "batch_id": b, "updated_at": DAY + timedelta(days=d), "source_line": n}
        for n, (r, v, b, d) in enumerate(rows)
    )
    return table("silver_reviews", *made)


def rows_of(rows: DataFrame) -> set[tuple[str, int, int]]:
    collected = rows.collect()
    assert len({row.record_id for row in collected}) == len(collected), "a record occurs twice"
    return {(row.record_id, row.record_batch_id, row.batch_id) for row in collected}


def test_a_superseded_record_belongs_to_the_first_batch_that_shows_it(table: Table) -> None:
    rows = reviews(
        table,
        ("first", "v", 1, 1),
        ("edit", "v", 2, 5),
        ("newest", "v", 3, 9),
        ("late", "v", 3, 2),  # an older edit that arrives late is never current
        ("early", "w", 1, 4),
        ("older", "w", 2, 3),
        ("alone", "x", 2, 1),
    )
    every = {("first", 1, 2), ("edit", 2, 3), ("late", 3, 3), ("older", 2, 2)}
    assert rows_of(superseded_reviews(rows, [1, 2, 3])) == every
    # Batch by batch gives the same rows, each once.
    for batch in (1, 2, 3):
        one = superseded_reviews(rows.where(f"batch_id <= {batch}"), [batch])
        assert rows_of(one) == {row for row in every if row[2] == batch}


def test_two_sources_with_the_same_review_id_supersede_nothing(table: Table) -> None:
    rows = reviews(table, ("a", "v", 1, 1), ("b", "v", 2, 2), ("c", "v", 3, 3))
    assert rows_of(superseded_reviews(rows, [1, 2, 3], {1: "shop", 2: "app", 3: "shop"})) == {("a", 1, 3)}


def test_groups_of_copies_and_straddling_pairs_add_up(table: Table) -> None:
    members = [("a1", "a", 1), ("a2", "a", 1), ("b1", "b", 1), ("a3", "a", 2), ("b2", "b", 3)]
    founders = {"a": "a1", "b": "b1"}
    clusters = table(
        "silver_review_clusters",
        *(
            {"record_id": r, "cluster_id": founders[c], "batch_id": b, "near_clusters": ["b1"] if r == "a3" else []}
            for r, c, b in members
        ),
    )
    split = {"a1": "train", "a2": "train", "a3": "train", "b1": "test", "b2": "none"}
    splits = table("silver_review_splits", *({"record_id": r, "split": split[r], "batch_id": b} for r, _, b in members))
    rows = reviews(table, *((r, r, b, 1) for r, _, b in members))
    facts = link_batches(rows, clusters, splits, [1, 2, 3])["gold_copy_facts"]
    once = {(row.batch_id, row.kind_code, *row["keys"]): row.fact_count for row in facts.collect()}
    assert once == {
        (1, "copy_group", "twice"): 1,
        (1, "copy_group", "once"): 1,
        (2, "copy_group", "twice"): -1,
        (2, "copy_group", "3 times"): 1,
        (2, "straddling"): 1,  # a3 is near b1; b2 is in no split
        (3, "copy_group", "once"): -1,
        (3, "copy_group", "twice"): 1,
    }
    for batch in (1, 2, 3):
        alone = link_batches(*(part.where(f"batch_id <= {batch}") for part in (rows, clusters, splits)), [batch])
        found = {(r.batch_id, r.kind_code, *r["keys"]): r.fact_count for r in alone["gold_copy_facts"].collect()}
        assert found == {key: count for key, count in once.items() if key[0] == batch}


def test_dates_and_category_are_those_of_reviews_that_stay(table: Table) -> None:
    labelled = [("old", "书", 1, 1), ("new", "手机", 2, 3), ("other", "酒店", 1, 2), ("plain", None, 2, 2)]
    made = table(
        "silver_reviews",
        *(
            {"record_id": r, "category": c, "batch_id": b, "created_at": DAY + timedelta(days=d), "rating": d}
            for r, c, b, d in labelled
        ),
    )
    rows = made.selectExpr(
        "*", "true AS is_unique", "'positive' AS sentiment_label", "'m' AS model_name", "1L AS model_version"
    )
    facts = current_product_facts(product_facts(rows), rows.where("record_id = 'old'"))
    [product] = satisfaction_by_product(facts, SatisfactionSection()).collect()
    assert (product.review_count, product.rating_mean) == (3, 7 / 3)
    assert (product.first_review_date, product.last_review_date) == (
        (DAY + timedelta(days=2)).date(),
        (DAY + timedelta(days=3)).date(),
    )
    # Two categories are as frequent, and a review without one does not count: the first by name.
    assert product.category == min("手机", "酒店")
