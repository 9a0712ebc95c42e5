"""Tests that the MLflow server serves a registered model."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.evaluation.evaluation import Score
from reviewgen_spark.models.registry.registration import register
from reviewgen_spark.models.training.finetuning import FinetuneResult

TEXTS = ["房间很好，手机不错", "太差了，退货"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def ask(port: int) -> list[dict[str, object]]:
    body = json.dumps({"dataframe_split": {"columns": ["text"], "data": [[text] for text in [*TEXTS, None]]}}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        predictions: list[dict[str, object]] = json.load(answer)["predictions"]
    return predictions


@pytest.mark.timeout(240)
def test_mlflow_serves_the_registered_model(trained: FinetuneResult, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    register(
        trained.folder,
        [Score("model", "test", "all", "f1", 0.9, 0.8, 0.95, 40)],
        "f",
        {},
        {},
        "served",
        uri,
        tmp_path / "artifacts",
        lambda champion: (True, "the first"),
    )
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/served@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    # MLflow starts `uvicorn` by name.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "MLFLOW_TRACKING_URI": uri, "HF_HUB_OFFLINE": "1"}
    environment["MLFLOW_DISABLE_TELEMETRY"] = "true"
    log = (tmp_path / "server.log").open("wb")
    server = subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        for _ in range(200):
            assert server.poll() is None, (tmp_path / "server.log").read_text()[-2000:]
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        answers = ask(port)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, 15)
            server.wait(timeout=30)
        log.close()
    expected = Predictor(trained.folder).score_texts(TEXTS)
    assert [answer["sentiment_score"] for answer in answers[:2]] == pytest.approx(expected.tolist(), abs=1e-5)
    assert [answer["sentiment_label"] for answer in answers] == ["positive", "negative", None]
