"""A champion set by hand: the registry's alias moves, and ops_model_promotions says who, what and why."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from reviewgen_spark.config import Config
from reviewgen_spark.errors import ModelNotFoundError
from reviewgen_spark.tables import Warehouse

if TYPE_CHECKING:
    from reviewgen_spark.models.registry import Decision


def set_champion(warehouse: Warehouse, config: Config, version: int | None, reason: str, command: str) -> "Decision":
    """Make `version` champion, or with None the one that was it before the newest promotion.

    Raises:
        ModelNotFoundError: There is no such version, or none to go back to.
    """
    from reviewgen_spark.models import registry

    warehouse.converge(["ops_model_promotions"])
    if version is None:
        promotions = warehouse.read("ops_model_promotions").where(F.col("is_promoted"))
        newest = promotions.orderBy(F.col("decided_at").desc()).select("previous_version").head()
        version = newest.previous_version if newest else None
        if version is None:
            raise ModelNotFoundError("there is no earlier champion; `reviewgen models list` shows every version")
    decision = registry.set_champion(config.models.name, version, config.paths.tracking_uri, reason)
    now = datetime.now(UTC)
    row = {
        "fingerprint": f"by hand {now.isoformat()}",
        "model_name": decision.model.name,
        "model_version": decision.model.version,
        "is_promoted": True,
        "previous_version": decision.previous_version,
        "reason": reason,
        "decided_by": command,
        "decided_at": now,
    }
    warehouse.append("ops_model_promotions", warehouse.rows("ops_model_promotions", [row]))
    return decision
