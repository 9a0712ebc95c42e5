"""Writes the MLflow model of a version: a pyfunc (models-from-code) with the plain `save_pretrained` files."""

from pathlib import Path

from reviewgen_spark.models.registry.mlflow_store import REQUIREMENTS, installed_version

MODEL_ARTIFACT = "model"
# An invented text, because MLflow shows the input example to everybody; it must not be a customer's review.
EXAMPLE_TEXT = "物流很快，质量不错，会再来。"


def save_pyfunc(model_dir: Path, out: Path) -> None:
    """Writes a model folder as an MLflow model, which can be loaded without this package."""
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    signature = ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "text", required=False)]),
        outputs=Schema(
            [
                ColSpec(DataType.string, "sentiment_label", required=False),
                ColSpec(DataType.double, "sentiment_score", required=False),
            ]
        ),
    )
    code = Path(__file__).with_name("pyfunc.py")
    mlflow.pyfunc.save_model(
        path=str(out),
        python_model=str(code),  # a path: models-from-code, nothing is pickled
        artifacts={MODEL_ARTIFACT: str(model_dir)},
        signature=signature,
        input_example=pd.DataFrame({"text": [EXAMPLE_TEXT]}),
        pip_requirements=[f"{name}=={installed_version(name)}" for name in REQUIREMENTS],
    )
    (out / code.name).chmod((out / "MLmodel").stat().st_mode & 0o777)  # MLflow copies the mode of an installed file


def path_inside(packed: Path) -> str:
    """Returns the path of the plain model folder inside the output of `save_pyfunc`.

    Raises:
        OSError: it cannot be read.
    """
    import yaml

    flavors = yaml.safe_load((packed / "MLmodel").read_text(encoding="utf-8"))["flavors"]
    return str(flavors["python_function"]["artifacts"][MODEL_ARTIFACT]["path"])
