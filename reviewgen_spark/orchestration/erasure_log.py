"""Reads and appends the rows of ops_erasures: hashes of what must stay erased, and the state of each erasure."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from pyspark.sql import Row

from reviewgen_spark.text.privacy.erasure_keys import Kind, key_fingerprint
from reviewgen_spark.warehouse.tables import Warehouse

_TABLE = "ops_erasures"


class ErasureLog:
    """Keeps the state of each erasure, which is the last row of its hash; appends a row for each change."""

    def __init__(self, warehouse: Warehouse, erasure_id: str) -> None:
        self._warehouse = warehouse
        self._id = erasure_id
        self._sequence = 0
        self._last: dict[str, Row] = {}
        self._models: dict[str, set[str]] = {}
        for row in warehouse.records(_TABLE).read() if warehouse.exists(_TABLE) else ():
            self._sequence = row.sequence
            self._last[row.erasure_key] = row
            self._models.setdefault(row.erasure_key, set()).update(row.models or ())

    @property
    def open(self) -> dict[str, Kind]:
        """Returns the kind of each erasure that is not done, by hash."""
        return {key: row.kind_code for key, row in self._last.items() if row.state != "done"}

    @property
    def models(self) -> list[str]:
        """Returns the models that were trained on records of open erasures."""
        return sorted({model for key in self.open for model in self._models.get(key, ())})

    def fingerprint(self) -> str:
        """Returns a digest of all erasures and their states; it is empty if there are none."""
        states = "\n".join(f"{key} {row.state}" for key, row in sorted(self._last.items()))
        return hashlib.sha256(states.encode()).hexdigest()[:32] if states else ""

    def append(self, keys: Mapping[str, Kind], state: str, key: bytes, models: Iterable[str] = ()) -> None:
        """Appends a row for each hash, in one commit.

        Args:
            keys: Kind by hash.
            state: recorded, traced or done.
            key: The secret key of the hashes.
            models: Models that were trained on the records.
        """
        now, model_names = datetime.now(UTC), sorted(models)
        rows = [
            {
                "sequence": self._sequence + index,
                "erasure_id": self._id,
                "kind_code": kind,
                "erasure_key": hashed,
                "key_fingerprint": key_fingerprint(key),
                "state": state,
                "models": model_names or None,
                "at": now,
            }
            for index, (hashed, kind) in enumerate(sorted(keys.items()), start=1)
        ]
        if not rows:
            return
        self._warehouse.records(_TABLE).append(rows)
        self._sequence += len(rows)
        for row in rows:
            self._last[str(row["erasure_key"])] = Row(**row)
            self._models.setdefault(str(row["erasure_key"]), set()).update(model_names)


def open_erasures(warehouse: Warehouse) -> list[str]:
    """Returns a line with the number of unfinished erasures; no line when all are done."""
    count = len(ErasureLog(warehouse, "").open)
    return [f"{count:,} erasures are not finished: run `reviewgen erase` again, no id is needed"] if count else []
