"""Sets the aliases of versions: `candidate` is the newest registered version, `champion` the one that labels."""

from dataclasses import dataclass

from reviewgen_spark.errors import ModelNotFoundError
from reviewgen_spark.models.registry.mlflow_store import by_alias, open_client
from reviewgen_spark.models.registry.registry import RegisteredModel, pin

CANDIDATE, CHAMPION = "candidate", "champion"


@dataclass(frozen=True)
class Decision:
    """Holds a row of `ops_model_promotions`: whether a version got its alias, why, and which version had it before."""

    model: RegisteredModel
    promoted: bool
    reason: str
    previous_version: int | None


def set_champion(name: str, version_number: int, tracking_uri: str, reason: str = "set by hand") -> Decision:
    """Makes a version champion: a newer one (promotion) or an older one (rollback).

    Raises:
        ModelNotFoundError: there is no such version, or its files are missing or damaged. The champion is kept.
    """
    from mlflow.exceptions import MlflowException

    with open_client(tracking_uri) as client:
        previous = by_alias(client, name, CHAMPION)
        try:
            model_version = client.get_model_version(name, str(version_number))
        except MlflowException as error:
            raise ModelNotFoundError(
                f"'{name}' has no version {version_number} in {tracking_uri}; `reviewgen models list` shows them"
            ) from error
        model = pin(model_version)  # before the alias is set, because a version without files must not become champion
        client.set_registered_model_alias(name, CHAMPION, str(version_number))
        return Decision(model, True, reason, int(previous.version) if previous else None)
