"""Tests the tokens of reviews and the votes on them."""

from reviewgen_spark.config import Config
from reviewgen_spark.transforms.dictionaries import driver_dictionaries
from reviewgen_spark.transforms.tokens import tokenise_reviews
from reviewgen_spark.transforms.weak_labels import label_weakly
from tests.spark.conftest import Table, values_by_id


def test_unique_reviews_have_tokens_and_votes(table: Table, config: Config) -> None:
    reviews = table(
        "silver_reviews",
        {"record_id": "good", "text_clean": "质量非常好，很满意", "rating": 5},
        {"record_id": "bad", "text_clean": "质量太差了，很失望", "rating": 5},
        {"record_id": "copy", "text_clean": "质量太差了，很失望"},
        {"record_id": "empty", "text_clean": None},
    )
    clusters = table(
        "silver_review_clusters",
        *({"record_id": i, "cluster_id": i} for i in ("good", "bad", "empty")),
        {"record_id": "copy", "cluster_id": "bad", "duplicate_of": "bad", "duplicate_kind": "exact"},
    )
    words = tokenise_reviews(reviews, clusters, config.tokens, driver_dictionaries()).frame().cache()
    tokens = values_by_id(words, "tokens")
    assert set(tokens) == {"good", "bad", "empty"}
    assert tokens["empty"] == []
    assert "".join(tokens["good"]) == "质量非常好，很满意"
    assert {row.token_count == len(row.tokens) for row in words.collect()} == {True}
    labelled = label_weakly(words, reviews, table("silver_weak_labels"), config.weak_labels, driver_dictionaries())
    votes = values_by_id(labelled["silver_weak_labels"], "weak_label", "votes", "majority_label")
    assert votes["good"] == ("positive", {"lexicon": "positive", "rating": "positive"}, "positive")
    assert votes["bad"] == (None, {"lexicon": "negative", "rating": "positive"}, None)
    assert votes["empty"] == (None, {}, None)
    voters = {row.voter: row for row in labelled["ops_weak_voters"].collect()}
    assert (voters["lexicon"].row_count, voters["lexicon"].vote_count, voters["lexicon"].conflict_count) == (3, 2, 1)
    assert voters["vader"].vote_count == 0 and voters["vader"].estimated_accuracy is None


def test_votes_of_earlier_batches_change_the_label(table: Table, config: Config) -> None:
    """One disputed review alone gets no label; in earlier batches the lexicon agreed with two other voters."""
    reviews = table(
        "silver_reviews", {"record_id": "a", "text_clean": "质量非常好，很满意", "rating": 1, "lang_code": "zh-hans"}
    )
    tokens = table("silver_tokens", {"record_id": "a", "tokens": ["质量", "非常", "好"]})
    right = {"lexicon": "positive", "vader": "positive", "textblob": "positive", "rating": "negative"}
    earlier = table("silver_weak_labels", *({"record_id": f"e{i}", "votes": right} for i in range(50)))
    alone = label_weakly(tokens, reviews, table("silver_weak_labels"), config.weak_labels, driver_dictionaries())
    after = label_weakly(tokens, reviews, earlier, config.weak_labels, driver_dictionaries())
    assert values_by_id(alone["silver_weak_labels"], "weak_label") == {"a": None}
    assert values_by_id(after["silver_weak_labels"], "weak_label") == {"a": "positive"}
