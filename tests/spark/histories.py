"""Makes random histories of a shop: batches with edits, copies, labels of two models, erasures and missing stages.

The tables are lists of rows in Python. The stages `facts` and `links` run on the batches that are due, as the runner
would run them, and their rows are kept by batch.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructField, StructType
from reviewgen_spark.jobs import facts, links, report

from reviewgen_spark.schemas import TABLES
from reviewgen_spark.transforms.erasure.affected_rows import linked_batches, promote_rows
from reviewgen_spark.transforms.facts import count_batches
from reviewgen_spark.transforms.links import link_batches
from tests.spark.conftest import DAY

TIMEZONE = "Asia/Shanghai"
Row = dict[str, Any]
_TEXTS = [f"text {index}" for index in range(30)]
_WORDS = ["差", "坏", "好", "房间", "屏幕", "[PHONE]", "12"]
_BRONZE = ("bronze_reviews", "bronze_reviews_quarantine", "bronze_redeliveries")


def frame(spark: SparkSession, name: str, rows: Iterable[Row]) -> DataFrame:
    """Returns rows as a table of schemas/; missing fields are null."""
    fields = TABLES[name].columns.fields
    schema = StructType([StructField(field.name, field.dataType) for field in fields])
    return spark.createDataFrame([tuple(row.get(field.name) for field in fields) for row in rows], schema)


@dataclass
class History:
    """Holds the rows of all tables, and what the stages counted.

    Attributes:
        spark: The session.
        draw: The source of chance.
        sources: Source of each batch.
        rows: Rows by table.
        done: Version of each stage and batch; a stage that has not run is absent.
        counted: Rows of `facts` and `links` by table and batch.
        prints: Fingerprint of `facts` and `links` by stage and batch.
    """

    spark: SparkSession
    draw: random.Random
    sources: dict[int, str] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    done: dict[tuple[str, int], int] = field(default_factory=dict)
    counted: dict[tuple[str, int], list[Row]] = field(default_factory=dict)
    prints: dict[tuple[str, int], Any] = field(default_factory=dict)

    def deliver(self, source: str, size: int) -> None:
        """Adds a batch: new reviews, edits of earlier ones in any order of time, and copies."""
        batch, draw = len(self.sources) + 1, self.draw
        self.sources[batch] = source
        own = [row for row in self._table("bronze_reviews") if self.sources[row["batch_id"]] == source]
        for line in range(1, size + 1):
            edited = draw.choice(own) if own and draw.random() < 0.3 else None
            day = DAY + timedelta(hours=draw.randrange(24 * 6))
            row = {
                "record_id": f"{batch:02}-{line:03}",
                "review_id": edited["review_id"] if edited else f"v{draw.randrange(60)}",
                "product_id": f"p{draw.randrange(5)}",
                "category": draw.choice(["书", "酒店", "手机", None]),
                "rating": draw.choice([None, 1, 2, 3, 4, 5]),
                "created_at": edited["created_at"] if edited and draw.random() < 0.7 else day,
                "updated_at": day + timedelta(hours=draw.randrange(48)) if draw.random() < 0.4 else None,
                "source_file": f"{batch}-{draw.randrange(2)}.jsonl",
                "source_line": line,
                "batch_id": batch,
                "source": source,
            }
            self._table("bronze_reviews").append(row)
            own.append(row)
        place = {"feed_code": "reviews", "source_file": f"{batch}-0.jsonl", "batch_id": batch}
        self._table("bronze_reviews_quarantine").append({**place, "source_line": 900, "reasons": ["a", "b"]})
        self._table("bronze_reviews_quarantine").append({**place, "reasons": ["file_rejected"]})
        self._table("bronze_redeliveries").append({**place, "record_id": f"{batch:02}-001", "source_line": 901})
        labelled = draw.choice(self._table("bronze_reviews"))
        self._table("bronze_gold_labels").append(
            {**place, "review_id": labelled["review_id"], "task": "sentiment", "source_line": draw.randrange(99)}
            | {"label": draw.choice(["positive", "negative"]), "review_source": draw.choice([source, None])}
        )
        self._finish("ingest", batch)

    def run(self, stage: str, batch: int, model: int = 1) -> None:
        """Runs a stage on a batch, as a stand-in of the real one, and replaces its rows."""
        for name in (name for name, table in TABLES.items() if table.stage == stage):
            self.rows[name] = [row for row in self._table(name) if row["batch_id"] != batch]
        getattr(self, f"_{stage}")(batch, model)
        self._finish(stage, batch)

    def erase(self, count: int) -> None:
        """Erases reviews as `reviewgen erase` does: all their records, with the facts of what changes."""
        gone = {
            (self.sources[row["batch_id"]], row["review_id"])
            for row in self.draw.sample(self._table("bronze_reviews"), count)
        }
        erased = [
            row for row in self._table("bronze_reviews") if (self.sources[row["batch_id"]], row["review_id"]) in gone
        ]
        ids = {row["record_id"] for row in erased}
        erased_rows = self.spark.createDataFrame([(one,) for one in sorted(ids)], "record_id string")
        clusters = self.table("silver_review_clusters")
        changed = {row.record_id: row for row in promote_rows(clusters, erased_rows, self.sources).collect()}
        linked = [row.batch_id for row in linked_batches(clusters, erased_rows).collect()]
        for row in self._table("silver_review_clusters"):
            if row["record_id"] in changed:
                row |= {name: changed[row["record_id"]][name] for name in ("duplicate_of", "duplicate_kind")}
        promoted = {row.batch_id for row in changed.values() if row.is_promoted}
        for stage, batches in (("facts", promoted | {row["batch_id"] for row in erased}), ("links", {*linked})):
            for batch in batches:
                self.prints.pop((stage, batch), None)
        for batch in promoted:
            for stage in ("weak_labels", "label"):
                if (stage, batch) in self.done:
                    self.run(stage, batch)
        for name in self.rows:
            self.rows[name] = [row for row in self.rows[name] if row.get("record_id") not in ids]
        for key in list(self.counted):
            self.counted[key] = [row for row in self.counted[key] if row.get("record_id") not in ids]

    def count(self) -> dict[str, list[int]]:
        """Runs `links` and `facts` on the batches that are due; returns these batches."""
        due: dict[str, list[int]] = {"links": [], "facts": []}
        previous: Any = None
        for batch in sorted(self.sources):
            inputs = {name: self.done.get((name, batch)) for name in ("clean", "dedup", "split")}
            if inputs["clean"] is not None:
                previous = (*inputs.values(), hash(previous))
                due["links"] += [batch] if self.prints.get(("links", batch)) != previous else []
                self.prints["links", batch] = previous
            stages = {TABLES[name].stage for name in facts.STAGE.optional}
            now = tuple(self.done.get((name, batch)) for name in sorted(stages))
            due["facts"] += [batch] if self.prints.get(("facts", batch)) != now else []
            self.prints["facts", batch] = now
        if due["links"]:
            tables = {name: self.table(name, range(1, max(due["links"]) + 1)) for name in links.STAGE.history}
            self._keep(due["links"], link_batches(*tables.values(), due["links"], self.sources))
        if due["facts"]:
            names = (*facts.STAGE.reads, *facts.STAGE.optional)
            self._keep(due["facts"], count_batches({n: self.table(n, due["facts"]) for n in names}, TIMEZONE))
        return due

    def tables(self) -> dict[str, DataFrame]:
        """Returns all tables that the report reads now, or read before, without unfinished batches."""
        names = {*report.STAGE.reads, *facts.STAGE.reads, *facts.STAGE.optional, "gold_product_facts"}
        return {name: self.table(name) for name in names}

    def table(self, name: str, batches: Iterable[int] | None = None) -> DataFrame:
        """Returns a table, without batches that its stage has not finished."""
        kept = {*self.sources} if batches is None else {*batches}
        if TABLES[name].stage in ("facts", "links"):
            rows = [row for (table, batch), part in self.counted.items() if table == name for row in part]
            return frame(self.spark, name, rows)
        stage = TABLES[name].stage
        rows = [
            row
            for row in self._table(name)
            if not TABLES[name].is_review_level or (row["batch_id"] in kept and (stage, row["batch_id"]) in self.done)
        ]
        return frame(self.spark, name, rows)

    def _keep(self, batches: Iterable[int], outputs: Mapping[str, DataFrame]) -> None:
        for name, output in outputs.items():
            rows = [row.asDict() for row in output.collect()]
            assert {row["batch_id"] for row in rows} <= {*batches}
            keys = [tuple(map(str, (row[key] for key in TABLES[name].key))) for row in rows]
            assert len(keys) == len(set(keys)), f"{name}: a key occurs twice"
            for batch in batches:
                self.counted[name, batch] = [row for row in rows if row["batch_id"] == batch]

    def _table(self, name: str) -> list[Row]:
        return self.rows.setdefault(name, [])

    def _finish(self, stage: str, batch: int) -> None:
        self.done[stage, batch] = self.done.get((stage, batch), 0) + 1

    def _of(self, name: str, batch: int) -> list[Row]:
        return [row for row in self._table(name) if row["batch_id"] == batch]

    # -- stand-ins of stages -----------------------------------------------------------------------------------

    def _clean(self, batch: int, _: int) -> None:
        for row in self._of("bronze_reviews", batch):
            if self.draw.random() < 0.05:
                self._table("silver_reviews_quarantine").append(
                    {**row, "reasons": self.draw.choice([["x"], ["x", "y"]])}
                )
                continue
            self._table("silver_reviews").append(
                {
                    **row,
                    "text_hash": self.draw.choice([*_TEXTS, None]),
                    "lang_code": self.draw.choice(["zh-hans", "en", None]),
                    "pii_counts": self.draw.choice([None, {}, {"PHONE": 2, "EMAIL": 1}]),
                    "rule_counts": self.draw.choice([None, {"html": 3, "width": 0}]),
                    "quality_flags": self.draw.choice([[], ["short"], ["short", "odd"]]),
                }
            )

    def _dedup(self, batch: int, _: int) -> None:
        placed = self._table("silver_review_clusters")
        for row in self._of("silver_reviews", batch):
            same = [one for one in placed if row["text_hash"] and one["text_hash"] == row["text_hash"]]
            first = same[0] if same else row
            cluster = first.get("cluster_id", row["record_id"])
            is_edit = (first["review_id"], self.sources[first["batch_id"]]) == (row["review_id"], self.sources[batch])
            others = sorted({one["cluster_id"] for one in placed if one["batch_id"] < batch} - {cluster})
            placed.append(
                {name: row[name] for name in ("record_id", "review_id", "text_hash", "created_at", "batch_id")}
                | {
                    "cluster_id": cluster,
                    "duplicate_of": None if is_edit else (first.get("duplicate_of") or first["record_id"]),
                }
                | {"near_clusters": self.draw.sample(others, 1) if others and self.draw.random() < 0.1 else []}
                | {"is_first_of_text": not same}
            )

    def _split(self, batch: int, _: int) -> None:
        for row in self._of("silver_review_clusters", batch):
            split = self.draw.choice(["train", "train", "test", "validation", "none"])
            self._table("silver_review_splits").append({**row, "split": split})

    def _unique(self, batch: int) -> list[Row]:
        return [row for row in self._of("silver_review_clusters", batch) if row["duplicate_of"] is None]

    def _tokens(self, batch: int, _: int) -> None:
        for row in self._unique(batch):
            self._table("silver_tokens").append({**row, "content_words": self.draw.choices(_WORDS, k=4)})

    def _weak_labels(self, batch: int, _: int) -> None:
        for row in self._unique(batch):
            votes = {name: self.draw.choice(["positive", "negative"]) for name in self.draw.sample(["a", "b", "c"], 2)}
            self._table("silver_weak_labels").append(
                {**row, "votes": self.draw.choice([votes, {}, None])}
                | {"weak_label": self.draw.choice(["positive", "negative", None])}
                | {"majority_label": self.draw.choice(["positive", None])}
            )

    def _label(self, batch: int, model: int) -> None:
        for row in self._unique(batch):
            score = self.draw.choice([None, 0.0, 0.33, 0.97, 1.0])
            label = None if score is None else "positive" if score > 0.5 else "negative"
            self._table("gold_review_labels").append(
                {**row, "sentiment_label": label, "sentiment_score": score, "model_name": "m", "model_version": model}
                | {"error": None if label else ("EmptyText", "no text", "label"), "fingerprint": "f"}
            )
