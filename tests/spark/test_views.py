from datetime import UTC, datetime

from reviewgen_spark.transforms.views import current_unique_reviews, mark_current
from tests.spark.conftest import DAY, Table, values_by_id


def test_the_newest_record_of_a_review_is_current(table: Table) -> None:
    later = datetime(2026, 1, 9, tzinfo=UTC)
    reviews = table(
        "silver_reviews",
        {"record_id": "old", "review_id": "r", "created_at": DAY},
        {"record_id": "edited", "review_id": "r", "created_at": DAY, "updated_at": later},
        {"record_id": "twin-1", "review_id": "s", "source_line": 1},
        {"record_id": "twin-2", "review_id": "s", "source_line": 2},
    )
    assert values_by_id(mark_current(reviews), "is_current") == {
        "old": False,
        "edited": True,
        "twin-1": False,
        "twin-2": True,
    }
    clusters = table(
        "silver_review_clusters", *({"record_id": i, "cluster_id": i} for i in ("old", "edited", "twin-1"))
    )
    assert set(values_by_id(current_unique_reviews(reviews, clusters), "review_id")) == {"edited"}
