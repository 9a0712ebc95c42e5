"""Writes texts with a server that offers OpenAI's chat completions: vLLM, `transformers serve`, a hosted model.

Threads keep a bounded number of requests in flight. A temporary failure is retried with growing waits. A failure of one
row becomes its error. A failure that concerns all rows ends the batch: the remaining rows get an error without a
request. Such failures are a wrong key, an unreachable server, and a spent limit.
"""

import http.client
import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from reviewgen_spark.config import EndpointSection, GenerationSection
from reviewgen_spark.config.untrusted_json import parse_json
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.inference.generation.writers import WriterOutput
from reviewgen_spark.inference.labelling.batching import RowError
from reviewgen_spark.text.requests.prompts import PROMPT_VERSION, chat_messages
from reviewgen_spark.text.requests.request import TextRequest
from reviewgen_spark.text.similarity.copied_runs import CopyIndex
from reviewgen_spark.text.words.languages import LangCode

ANSWER_BYTES = 4 * 2**20
_TEMPORARY = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_FATAL = frozenset({401, 403, 404})


@dataclass(frozen=True)
class EndpointSpec:
    """Describes an endpoint and its decoding."""

    section: EndpointSection
    decoding: Mapping[str, Any]
    key: str = field(default="", repr=False)

    prompt_version = PROMPT_VERSION
    is_alone = True
    is_model = True
    is_seeded = True

    @property
    def model_name(self) -> str:
        """Returns the name that the server uses."""
        return self.section.model

    @property
    def model_version(self) -> int:
        """Returns the version that the configuration gives."""
        return self.section.version

    def open(self) -> "EndpointWriter":
        """Opens a writer with limits of its own."""
        return EndpointWriter(self)


def endpoint_spec(section: GenerationSection) -> EndpointSpec:
    """Returns the endpoint of a configuration, with the key from this process' environment.

    Raises:
        ConfigError: no URL or no model is given.
    """
    endpoint, decoding = section.endpoint, section.decoding
    for name in ("url", "model"):
        if not getattr(endpoint, name):
            raise ConfigError(
                f"generation.endpoint.{name}: not set; the writer 'endpoint' needs a server, such as --set "
                "generation.endpoint.url=http://localhost:8000/v1 and generation.endpoint.model=<its name there>"
            )
    settings = {
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        "max_tokens": decoding.max_new_tokens,
        **endpoint.extra,
    }
    return EndpointSpec(endpoint, settings, os.environ.get(endpoint.key_variable, "") if endpoint.key_variable else "")


class EndpointWriter:
    """Sends requests to an endpoint. Its limits count over its lifetime."""

    copies: Mapping[LangCode, CopyIndex] = {}  # the training texts of such a model are unknown

    def __init__(self, spec: EndpointSpec) -> None:
        self._spec, self._section = spec, spec.section
        self._opener = urllib.request.build_opener(_NoRedirect())
        self._gate = _Gate(spec.section)

    def write(self, requests: Sequence[TextRequest]) -> list[WriterOutput]:
        """Writes a text for each request, several at a time, in their order."""
        with ThreadPoolExecutor(self._section.concurrency, "endpoint") as threads:
            return list(threads.map(self._write, requests))

    def _write(self, request: TextRequest) -> WriterOutput:
        body = json.dumps(self._body(request)).encode()
        jitter = random.Random(request.seed)
        for attempt in range(self._section.retries + 1):
            if refusal := self._gate.enter():
                return WriterOutput(error=refusal)
            outcome = self._send(body)
            if isinstance(outcome, WriterOutput):
                self._gate.record(outcome.prompt_tokens + outcome.new_tokens, outcome.error)
                return outcome
            # Only the error of the last attempt is recorded, because a later attempt decides about an earlier one.
            wait = max(_back_off(attempt, self._section, jitter), outcome.retry_after or 0)
            if attempt == self._section.retries or wait > self._section.max_wait_s:
                self._gate.record(0, outcome.error)
                return WriterOutput(error=outcome.error)
            if outcome.is_busy:
                self._gate.pause(wait)  # all threads, because the server is busy for all
            else:
                time.sleep(wait)
        raise AssertionError("the last attempt returns")

    def _body(self, request: TextRequest) -> dict[str, Any]:
        return {
            "model": self._section.model,
            "messages": chat_messages(request),
            "seed": request.seed % 2**31,  # some servers accept no larger seed
            "stream": False,
            **self._spec.decoding,
        }

    def _send(self, body: bytes) -> "WriterOutput | _TemporaryFailure":
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._spec.key:
            headers["Authorization"] = f"Bearer {self._spec.key}"
        url = f"{self._section.url}/chat/completions"
        http_request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        try:
            with self._opener.open(http_request, timeout=self._section.timeout_s) as response:
                content = response.read(ANSWER_BYTES + 1)
        except urllib.error.HTTPError as error:
            error.close()
            return self._status_error(error.code, error.headers.get("Retry-After"))
        except (OSError, http.client.HTTPException) as error:  # URLError and timeouts are OSErrors
            return _TemporaryFailure(_broken_connection(error, self._section))
        return _read_answer(content)

    def _status_error(self, status: int, retry_after: str | None) -> "WriterOutput | _TemporaryFailure":
        error = RowError(f"Http{status}", f"the endpoint answered with status {status}{_ADVICE.get(status, '')}")
        if status in _TEMPORARY:
            return _TemporaryFailure(error, _seconds(retry_after), is_busy=status in (429, 503))
        if status in _FATAL:
            self._gate.close(error)
        return WriterOutput(error=error)


_ADVICE = {
    401: "; is the variable that generation.endpoint.key_variable names set to a valid key?",
    403: "; may this key use generation.endpoint.model?",
    404: "; are generation.endpoint.url and generation.endpoint.model as the server names them?",
    429: " to every retry; lower generation.endpoint.concurrency or requests_per_minute",
}


@dataclass(frozen=True)
class _TemporaryFailure:
    """Describes a temporary failure, which is worth a retry."""

    error: RowError
    retry_after: float | None = None
    is_busy: bool = False


class _Gate:
    """Holds what all threads of a writer share: the rate, the cost limits, and whether requests still make sense."""

    def __init__(self, section: EndpointSection) -> None:
        self._section = section
        self._lock = threading.Lock()
        self._requests = self._tokens = self._failures = 0
        self._free_at = 0.0  # when the next request may be sent
        self._closed: RowError | None = None

    def enter(self) -> RowError | None:
        """Waits until the next request may be sent; returns an error if none may be sent."""
        with self._lock:
            if refusal := self._closed or self._spent_limit():
                return refusal
            self._requests += 1
            now = time.monotonic()
            send_at = max(now, self._free_at)
            if self._section.requests_per_minute:
                self._free_at = send_at + 60 / self._section.requests_per_minute
        time.sleep(max(0.0, send_at - now))
        return self._closed  # another thread may have closed it during the wait

    def record(self, tokens: int, error: RowError | None) -> None:
        """Records the tokens and the error of a row."""
        with self._lock:
            self._tokens += tokens
            self._failures = self._failures + 1 if error else 0
            if error and self._failures >= self._section.give_up_after and self._closed is None:
                self._closed = RowError(
                    "EndpointDown",
                    f"not asked: {self._failures} rows in a row had failed, the last with {error.error_class}; see "
                    "generation.endpoint.give_up_after",
                )

    def pause(self, seconds: float) -> None:
        """Delays the next requests of all threads."""
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic() + seconds)

    def close(self, error: RowError) -> None:
        """Stops all further requests. The first error is kept."""
        with self._lock:
            self._closed = self._closed or error

    def _spent_limit(self) -> RowError | None:
        limits = (("max_requests", self._requests), ("max_tokens", self._tokens))
        for name, spent in limits:
            limit = getattr(self._section, name)
            if limit is not None and spent >= limit:
                return RowError(
                    "CostLimit", f"not asked: {spent:,} of generation.endpoint.{name}, {limit:,}, were spent before"
                )
        return None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Makes a redirect an error, because it would send the key to another host."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Follows no redirect."""


def _read_answer(content: bytes) -> "WriterOutput | _TemporaryFailure":
    if len(content) > ANSWER_BYTES:
        return WriterOutput(error=RowError("BadAnswer", f"the endpoint's answer has more than {ANSWER_BYTES:,} bytes"))
    try:
        answer = parse_json(content)
        choice = answer["choices"][0]
        text = choice["message"]["content"]
        reason = choice.get("finish_reason")
        usage = answer.get("usage") or {}
        prompt, new = (int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens"))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        # An incomplete answer is retried. The message of the error is left out, because it would quote the text.
        broken = RowError("BadAnswer", f"the endpoint's answer is no chat completion ({type(error).__name__})")
        return _TemporaryFailure(broken)
    if reason == "content_filter":
        return WriterOutput(error=RowError("Refused", "the endpoint's filter refused the text"), prompt_tokens=prompt)
    if not isinstance(text, str) or not text.strip():
        empty = RowError("EmptyText", f"the endpoint wrote nothing (finish_reason {str(reason)[:20]})")
        return WriterOutput(error=empty, prompt_tokens=prompt, new_tokens=new)
    return WriterOutput(text.strip(), None, prompt, new, is_truncated=reason == "length")


def _broken_connection(error: Exception, section: EndpointSection) -> RowError:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return RowError("Timeout", f"the endpoint did not answer within {section.timeout_s:g} s")
    return RowError("NoConnection", f"the endpoint cannot be reached, or broke off ({type(reason).__name__})")


def _back_off(attempt: int, section: EndpointSection, jitter: random.Random) -> float:
    """Returns the seconds before the next attempt: doubled each time, up to `max_wait_s`, times 0.5 to 1 at random."""
    longest = min(section.max_wait_s, section.backoff_s * 2.0**attempt)
    return longest * (0.5 + jitter.random() / 2)


def _seconds(retry_after: str | None) -> float | None:
    """Reads the header Retry-After, which holds seconds or a date.

    >>> _seconds("3"), _seconds("soon"), _seconds("Wed, 21 Oct 2015 07:28:00 GMT")
    (3.0, None, 0.0)
    """
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        retry_at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    retry_at = retry_at if retry_at.tzinfo else retry_at.replace(tzinfo=UTC)
    return max(0.0, (retry_at - datetime.now(UTC)).total_seconds())
