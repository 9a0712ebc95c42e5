"""Tests the endpoint writer against a real server that fails as its requests demand."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from reviewgen_spark.config import EndpointSection, GenerationSection
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.inference.generation.endpoint import EndpointSpec, _back_off, endpoint_spec
from reviewgen_spark.inference.generation.writers import WriterOutput
from reviewgen_spark.text.requests.request import Attribute, TextRequest


class Server:
    """Answers as the attribute of a request demands, and records the requests."""

    def __init__(self) -> None:
        outer = self
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.at: list[float] = []
        self.tries: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                words = json.loads(body["messages"][1]["content"].split("\n")[1])["attributes"]["do"].split()
                with outer.lock:
                    outer.bodies.append(body)
                    outer.headers.append(dict(self.headers))
                    outer.at.append(time.monotonic())
                    outer.tries[" ".join(words)] += 1
                    tries = outer.tries[" ".join(words)]
                    outer.in_flight += 1
                    self.is_in_flight = True
                    outer.most_in_flight = max(outer.most_in_flight, outer.in_flight)
                try:
                    self.answer(words, tries)
                finally:
                    self.leave()

            def leave(self) -> None:
                """Counts the request as done before its response is sent, because the next one may arrive at once."""
                with outer.lock:
                    outer.in_flight -= self.is_in_flight
                    self.is_in_flight = False

            def answer(self, words: list[str], tries: int) -> None:
                what = words[0]
                if what == "then-well" and tries <= int(words[2]):
                    self.respond(int(words[1]), b"{}", {"Retry-After": words[3]} if len(words) > 3 else {})
                elif what == "status":
                    self.respond(int(words[1]), b"secret " + b"x" * 50, {"Location": "/elsewhere"})
                elif what == "half":
                    self.respond(200, b'{"choices": [{"message": {"content": "secr')
                elif what == "half-once" and tries == 1:
                    self.respond(200, b'{"choices": ')
                elif what == "list":
                    self.respond(200, b"[1, 2]")
                elif what == "empty":
                    self.respond(200, completion(" \n"))
                elif what == "null":
                    self.respond(200, completion(None))
                elif what == "filter":
                    self.respond(200, completion("", "content_filter"))
                elif what == "slow":
                    time.sleep(1.2)
                    self.respond(200, completion("late"))
                elif what == "cut":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
                    self.close_connection = True
                elif what == "hang-up":
                    self.close_connection = True
                elif what == "length":
                    self.respond(200, completion("a long text", "length"))
                else:
                    time.sleep(0.02)
                    self.respond(200, completion(f"wrote {' '.join(words)} "))

            def respond(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.leave()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

            def handle(self) -> None:
                with suppress(ConnectionError):  # the client closed the connection
                    super().handle()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


def completion(text: str | None, reason: str = "stop") -> bytes:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": reason}
    return json.dumps({"choices": [choice], "usage": {"prompt_tokens": 30, "completion_tokens": 10}}).encode()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    yield running
    running.server.shutdown()
    running.server.server_close()


def make_spec(url: str, **settings: Any) -> EndpointSpec:
    plain = {"backoff_s": 0.01, "max_wait_s": 2.0, "retries": 2, "concurrency": 4, "timeout_s": 5.0}
    endpoint = EndpointSection(url=url, model="some-model", **{**plain, **settings})
    return endpoint_spec(GenerationSection(endpoint=endpoint))


def ask(*what: str, seed: int = 0) -> list[TextRequest]:
    return [TextRequest("product_copy", "p", "en", attributes=(Attribute("do", word),), seed=seed) for word in what]


def write(server: Server, *what: str, **settings: Any) -> list[WriterOutput]:
    return make_spec(server.url, **settings).open().write(ask(*what))


def error_of(output: WriterOutput) -> str | None:
    assert (output.text is None) == (output.error is not None)
    return output.error and output.error.error_class


def test_texts_come_back_in_order_and_requests_are_bounded(server: Server) -> None:
    outputs = write(server, *(f"well {number}" for number in range(20)), concurrency=3)
    assert [text.text for text in outputs] == [f"wrote well {number}" for number in range(20)]
    assert {(text.prompt_tokens, text.new_tokens, text.is_truncated) for text in outputs} == {(30, 10, False)}
    assert 1 < server.most_in_flight <= 3


def test_a_request_has_the_model_the_seed_and_the_key(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "key-4711")
    spec = make_spec(server.url, key_variable="SOME_KEY", extra={"top_k": 5})
    spec.open().write(ask("well", seed=2**31 + 7))
    [body], [headers] = server.bodies, server.headers
    assert (body["model"], body["seed"], body["temperature"], body["max_tokens"]) == ("some-model", 7, 0.8, 128)
    assert body["top_k"] == 5 and [message["role"] for message in body["messages"]] == ["system", "user"]
    assert headers["Authorization"] == "Bearer key-4711"
    assert "4711" not in repr(spec) and "4711" not in str(spec.decoding)
    monkeypatch.delenv("SOME_KEY")
    make_spec(server.url, key_variable="SOME_KEY").open().write(ask("well"))
    assert "Authorization" not in server.headers[1]


@pytest.mark.parametrize(
    ("what", "error", "tries"),
    [
        ("status 429", "Http429", 3),
        ("status 500", "Http500", 3),
        ("status 400", "Http400", 1),
        ("status 302", "Http302", 1),
        ("half", "BadAnswer", 3),
        ("list", "BadAnswer", 3),
        ("cut", "BadAnswer", 3),
        ("hang-up", "NoConnection", 3),
        ("empty", "EmptyText", 1),
        ("null", "EmptyText", 1),
        ("filter", "Refused", 1),
    ],
)
def test_a_failed_row_does_not_affect_others(server: Server, what: str, error: str, tries: int) -> None:
    outputs = write(server, "well 1", what, "well 2", concurrency=2)
    assert [error_of(text) for text in outputs] == [None, error, None]
    assert server.tries[what] == tries
    assert outputs[1].error is not None and "secr" not in outputs[1].error.message


@pytest.mark.parametrize("what", ["then-well 503 2", "then-well 429 1", "half-once"])
def test_temporary_errors_are_retried(server: Server, what: str) -> None:
    assert write(server, what)[0].text == f"wrote {what}"


def test_a_timeout_is_retried_and_reported(server: Server) -> None:
    slow, well = write(server, "slow", "well", timeout_s=0.5, retries=1)
    assert (error_of(slow), well.text) == ("Timeout", "wrote well")
    assert server.tries["slow"] == 2


def test_a_cut_text_is_marked_as_truncated(server: Server) -> None:
    assert write(server, "length")[0].is_truncated


def test_retry_after_is_respected(server: Server) -> None:
    started = time.monotonic()
    outputs = write(server, "then-well 429 1 1", "well", concurrency=1)
    assert [error_of(text) for text in outputs] == [None, None]
    assert server.at[1] - started >= 0.95  # not the 0.01 s of backoff
    assert error_of(write(server, "then-well 429 1 7", concurrency=1)[0]) == "Http429"  # more than max_wait_s
    assert time.monotonic() - started < 4


def test_waits_grow_and_are_the_same_each_time(server: Server) -> None:
    section = EndpointSection(backoff_s=0.5, max_wait_s=3)

    def waits() -> list[float]:
        jitter = random.Random(7)
        return [_back_off(attempt, section, jitter) for attempt in range(5)]

    assert waits() == waits() != sorted(set(waits()), reverse=True)
    for wait, longest in zip(waits(), (0.5, 1, 2, 3, 3), strict=True):
        assert longest / 2 <= wait <= longest
    write(server, "status 500", retries=2, backoff_s=0.1)
    gaps = [after - before for before, after in zip(server.at, server.at[1:], strict=False)]
    assert len(gaps) == 2 and gaps[0] >= 0.05 and gaps[1] >= 0.1


def test_the_request_rate_is_limited(server: Server) -> None:
    write(server, *(f"well {number}" for number in range(6)), requests_per_minute=1200, concurrency=6)
    assert max(server.at) - min(server.at) >= 5 * 0.05 - 0.04


def test_rows_above_the_cost_limit_are_not_sent(server: Server) -> None:
    rows = [f"well {number}" for number in range(8)]
    outputs = write(server, *rows, max_requests=5, concurrency=2)
    assert [error_of(text) for text in outputs] == [None] * 5 + ["CostLimit"] * 3
    assert len(server.bodies) == 5
    outputs = write(server, *rows, max_tokens=100, concurrency=1)
    assert [error_of(text) for text in outputs] == [None] * 3 + ["CostLimit"] * 5  # 40 tokens each
    assert "max_tokens, 100" in str(outputs[-1].error)


def test_cost_limits_hold_across_calls_of_a_writer(server: Server) -> None:
    writer = make_spec(server.url, max_requests=3).open()
    assert [error_of(text) for text in writer.write(ask("well 1", "well 2"))] == [None, None]
    assert [error_of(text) for text in writer.write(ask("well 3", "well 4"))] == [None, "CostLimit"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_model_is_not_retried(server: Server, status: int) -> None:
    outputs = write(server, f"status {status}", "well 1", "well 2", concurrency=1)
    assert [error_of(text) for text in outputs] == [f"Http{status}"] * 3
    assert len(server.bodies) == 1


def test_an_unreachable_server_is_not_tried_for_every_row(server: Server) -> None:
    server.server.shutdown()
    server.server.server_close()
    outputs = write(server, *(f"well {number}" for number in range(40)), give_up_after=5, concurrency=2, retries=1)
    errors = Counter(error_of(text) for text in outputs)
    assert 5 <= errors["NoConnection"] <= 6 and errors["EndpointDown"] == 40 - errors["NoConnection"]


def test_an_endpoint_needs_url_and_model() -> None:
    with pytest.raises(ConfigError, match=r"generation\.endpoint\.url: not set"):
        endpoint_spec(GenerationSection())
    with pytest.raises(ConfigError, match=r"generation\.endpoint\.model: not set"):
        endpoint_spec(GenerationSection(endpoint=EndpointSection(url="http://localhost:1/v1/")))
    with pytest.raises(ValueError, match="begins with http"):
        EndpointSection(url="file:///etc/passwd")
