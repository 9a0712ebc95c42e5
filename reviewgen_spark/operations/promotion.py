"""Sets the champion by hand: moves the alias in the registry, and records the reason in ops_model_promotions."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reviewgen_spark.config import Config
from reviewgen_spark.config.messages import hide_secrets
from reviewgen_spark.errors import DataQualityError, ModelNotFoundError
from reviewgen_spark.orchestration.ledger import Ledger
from reviewgen_spark.warehouse.tables import Warehouse

if TYPE_CHECKING:
    from reviewgen_spark.models.registry.aliases import Decision


def set_champion(
    warehouse: Warehouse, config: Config, version: int | None, reason: str, command: str, is_forced: bool = False
) -> "Decision":
    """Makes `version` the champion; None means the champion before the newest promotion.

    A version must first pass the gate against the current champion, on the newest corpus. A rollback or a forced
    promotion skips the gate. The table records that a promotion was forced.

    Raises:
        ModelNotFoundError: There is no such version, or no earlier champion.
        DataQualityError: The gate refused it.
        SchemaError: There is no corpus for the gate.
    """
    from reviewgen_spark.models.registry import aliases

    reason = hide_secrets(reason)
    warehouse.converge(["ops_model_promotions"], Ledger(warehouse, "promotion").written_versions())
    if version is None:
        decisions = warehouse.records("ops_model_promotions").read()
        promotions = [row for row in decisions if row.is_promoted and row.alias is None]  # of champions
        last_promotion = max(promotions, key=lambda row: row.decided_at, default=None)
        version = last_promotion.previous_version if last_promotion else None
        if version is None:
            raise ModelNotFoundError("there is no earlier champion; `reviewgen models list` shows every version")
    elif is_forced:
        reason = f"{reason} (forced past the gate)"
    else:
        _pass_gate(config, version)
    decision = aliases.set_champion(config.models.name, version, config.paths.tracking_uri, reason)
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
    warehouse.records("ops_model_promotions").append([row])
    return decision


def _pass_gate(config: Config, version: int) -> None:
    """Checks a version against the current champion by the promotion gate.

    Raises:
        DataQualityError: The gate refused it.
    """
    from reviewgen_spark.models.registry.aliases import CHAMPION
    from reviewgen_spark.models.registry.candidate_scoring import judge_candidate
    from reviewgen_spark.models.registry.registry import resolve
    from reviewgen_spark.operations.model_comparison import newest_corpus

    name, uri = config.models.name, config.paths.tracking_uri
    candidate = resolve(name, str(version), uri)
    try:
        champion = resolve(name, CHAMPION, uri)
    except ModelNotFoundError:
        champion = None  # no champion, or its files are missing: the candidate is judged without one
    if champion is not None and champion.version == version:
        return
    verdict = judge_candidate(config, newest_corpus(config), candidate.path, champion.path if champion else None)
    if not verdict.promoted:
        raise DataQualityError(
            f"models promote {version}: the gate refused it: {verdict.reason}. See `reviewgen models compare {version} "
            "champion`; --force promotes it without the gate, and the table records that"
        )
