"""Tests the endpoint writer against the real `transformers serve` with a small model on loopback."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from reviewgen_spark.config import DecodingSection, EndpointSection, GenerationSection
from reviewgen_spark.inference.generation.endpoint import endpoint_spec
from reviewgen_spark.models.bases.encoder import wrap_tokenizer
from reviewgen_spark.models.bases.wordpiece import train_wordpiece
from reviewgen_spark.text.requests.request import Source, TextRequest
from tests.models.generators import TEXTS

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openai") is None,
    reason="`transformers serve` needs the package openai: pip install -e .[dev]",
)
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Starts the server and yields its URL and the model name."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)  # some random models end every text at once

    folder = tmp_path_factory.mktemp("served")
    tokenizer = wrap_tokenizer(train_wordpiece(TEXTS, 300), 1024, bos_token="[CLS]", eos_token="[SEP]")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    ids = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0, "vocab_size": len(tokenizer)}
    GPT2LMHeadModel(GPT2Config(**ids, n_embd=16, n_layer=1, n_head=2, n_positions=1024)).save_pretrained(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(sys.executable).with_name("transformers")
    command = [str(script), "serve", str(folder), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    log = (folder / "log").open("w")
    process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, folder / "log")
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=1)
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text()[-2000:])


def test_a_real_server_writes_texts(served: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    url, model = served
    endpoint = EndpointSection(url=url, model=model, concurrency=2, retries=1)
    section = GenerationSection(endpoint=endpoint, decoding=DecodingSection(max_new_tokens=12))
    spec = endpoint_spec(section)
    requests = [
        TextRequest("reply", "p", "zh", sources=(Source(f"r{row}", "屏幕坏了，要退货"),), seed=row) for row in range(4)
    ]
    outputs = spec.open().write(requests)
    for written in outputs:
        assert written.text or (written.error is not None and written.error.error_class == "EmptyText"), written
        assert written.prompt_tokens > 50
    assert any(written.text for written in outputs) and max(written.new_tokens for written in outputs) <= 12
    wrong_url = EndpointSection(url=url + "/nowhere", model=model, retries=0)
    failed = endpoint_spec(GenerationSection(endpoint=wrong_url)).open().write(requests[:1])[0]
    assert failed.error is not None and failed.error.error_class == "Http404"
