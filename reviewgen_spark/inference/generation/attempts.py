"""Turns requests into rows: refuses, writes, checks, retries with the next seed, and records the sources.

This module does not use Spark. Stages call it window by window on executors, and `reviewgen write` calls it locally.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewgen_spark.config import ChecksSection, GenerationSection, TokensSection
from reviewgen_spark.errors import DataQualityError
from reviewgen_spark.inference.generation.writers import Writer, WriterOutput, WriterSpec, decoding_json
from reviewgen_spark.inference.labelling.batching import RowError, score_window
from reviewgen_spark.inference.labelling.head_scores import column_of, split_by_task
from reviewgen_spark.text.checks.checks import CheckLists, LabellerPrediction, TextCheck, check_text, failed
from reviewgen_spark.text.checks.faithfulness import Evidence
from reviewgen_spark.text.requests.prompt_injection import without_injections
from reviewgen_spark.text.requests.provenance import VISIBLE_LABELS, aigc_metadata
from reviewgen_spark.text.requests.purposes import PER_PRODUCT
from reviewgen_spark.text.requests.refusals import refusal
from reviewgen_spark.text.requests.request import Source, TextRequest, prompt_fingerprint, text_id

if TYPE_CHECKING:
    from reviewgen_spark.models.classifier.predictor import Predictor
    from reviewgen_spark.models.compression.ngram_classifier import NgramClassifier

REFUSED, INJECTED, UNREADABLE, FAILED = "RequestRefused", "InjectedSources", "BadRequest", "FailedChecks"
EXPECTED_ERRORS = (REFUSED, INJECTED, UNREADABLE)
"""Errors of the request, not of the writer."""
_WORTH_ANOTHER_SEED = frozenset({"EmptyText"})
_SEEDS = 2**63

JudgeTexts = Callable[[Sequence[str]], Sequence[LabellerPrediction]]
"""Labels texts with the labeller; the results are in the order of the texts."""


@dataclass(frozen=True)
class TextResult:
    """Holds the final result of a request.

    Attributes:
        request: as it was given, with the first seed.
        written: output of the last attempt.
        checks: results of the checks of its text.
        attempts: number of attempts, from 1.
        source_record_ids: sources of the text, without those that look like instructions.
    """

    request: TextRequest
    written: WriterOutput
    checks: tuple[TextCheck, ...] = ()
    attempts: int = 1
    source_record_ids: tuple[str, ...] = ()

    @property
    def seed(self) -> int:
        """Returns the seed of the last attempt."""
        return (self.request.seed + self.attempts - 1) % _SEEDS

    @property
    def error(self) -> RowError | None:
        """Returns the error of the writer or of the failed checks; it contains no word of the text."""
        if self.written.error is None and (failures := failed(self.checks)):
            reasons = "; ".join(f"{check.name}: {check.reason or 'failed'}" for check in failures)
            return RowError(FAILED, f"{reasons}; tried {self.attempts} times")
        return self.written.error


@dataclass(frozen=True)
class TextWorker:
    """Holds the writer and the checks of one worker process.

    Attributes:
        writer: an open writer.
        spec: describes the writer.
        lists: word lists of the checks.
        limits: the `checks` section.
        judge: the labeller; None if none is registered, and then a check reports that.
        max_attempts: attempts of a request, at most.
    """

    writer: Writer
    spec: WriterSpec
    lists: CheckLists
    limits: ChecksSection
    judge: JudgeTexts | None
    max_attempts: int

    def write(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        """Writes a text for each request, in their order. A text that fails its checks is written again."""
        done: dict[int, TextResult] = {}
        waiting: dict[int, TextRequest] = {}  # as sent to the writer: without sources that look like instructions
        for row, request in enumerate(requests):
            prepared = self._prepare(request)
            if isinstance(prepared, RowError):
                done[row] = TextResult(request, WriterOutput(error=prepared), source_record_ids=_sources(request))
            else:
                waiting[row] = prepared
        max_attempts = self.max_attempts if self.spec.is_seeded else 1
        for attempt in range(max_attempts):
            rows = list(waiting)
            sent = [replace(waiting[row], seed=(requests[row].seed + attempt) % _SEEDS) for row in rows]
            outputs = self.writer.write(sent) if sent else []
            grounded = [self._ground(request, output) for request, output in zip(sent, outputs, strict=True)]
            written = [output for output, _ in grounded]
            text_checks = self._check(sent, written)
            checks = [(*of_text, *of_claims) for of_text, (_, of_claims) in zip(text_checks, grounded, strict=True)]
            for row, request, output, row_checks in zip(rows, sent, written, checks, strict=True):
                done[row] = TextResult(requests[row], output, row_checks, attempt + 1, _sources(request))
                if not _is_worth_a_retry(output, row_checks):
                    del waiting[row]
        return [done[row] for row in range(len(requests))]

    def _prepare(self, request: TextRequest) -> TextRequest | RowError:
        if refused := refusal(request, self.lists.refused):
            return RowError(REFUSED, refused.reason)
        try:
            return without_injections(request)
        except DataQualityError as error:
            return RowError(INJECTED, str(error))

    def _ground(self, request: TextRequest, written: WriterOutput) -> tuple[WriterOutput, tuple[TextCheck, ...]]:
        """Drops unsupported sentences from a model's summary or copy. If none is left, the check fails."""
        if written.text is None or not self.spec.is_model or request.purpose not in PER_PRODUCT:
            return written, ()
        stated = [Source(pair.name, f"{pair.name} {pair.value}") for pair in request.attributes]
        faithful = Evidence([*request.sources, *stated], self.lists.reader).judge(written.text)
        reasons = sorted({judgement.reason for judgement in faithful.judgements if judgement.reason})
        message = f"{len(faithful.judgements)} sentences, not supported: {', '.join(reasons)}" if reasons else None
        check = TextCheck("faithfulness", round(1 - faithful.score, 4), bool(faithful.text), message)
        return (replace(written, text=faithful.text) if faithful.text else written), (check,)

    def _check(self, requests: Sequence[TextRequest], written: Sequence[WriterOutput]) -> list[tuple[TextCheck, ...]]:
        rows = [row for row, output in enumerate(written) if output.text is not None]
        texts = [written[row].text or "" for row in rows]
        judged: Sequence[LabellerPrediction | None] = self.judge(texts) if self.judge and texts else [None] * len(texts)
        unlabelled = () if self.judge else (TextCheck("labeller", 0.0, True, "not checked: no labeller is registered"),)
        checks: list[tuple[TextCheck, ...]] = [() for _ in written]
        for row, text, labels in zip(rows, texts, judged, strict=True):
            request = requests[row]
            copies = self.writer.copies.get(request.lang_code)
            checks[row] = (*check_text(text, request, self.lists, self.limits, labels, copies), *unlabelled)
        return checks


def _is_worth_a_retry(written: WriterOutput, checks: tuple[TextCheck, ...]) -> bool:
    if written.error is not None:
        return written.error.error_class in _WORTH_ANOTHER_SEED
    return bool(failed(checks))


def _sources(request: TextRequest) -> tuple[str, ...]:
    return tuple(source.record_id for source in request.sources)


@lru_cache(maxsize=1)
def load_lists(safety: Path, dictionaries: Path, tokens: TokensSection) -> CheckLists:
    """Loads the word lists of the checks, once a process."""
    return CheckLists.load(safety, dictionaries, tokens)


def judge_with(
    predictor: "Predictor", section: GenerationSection, max_chars: int, first: "NgramClassifier | None" = None
) -> JudgeTexts:
    """Returns a function that labels texts with a labeller, in batches of similar length.

    Args:
        predictor: a sentiment model.
        section: gives the number of tokens in a batch.
        max_chars: a longer text is not labelled.
        first: labels the texts that it is sure of, before the model runs.
    """

    def judge(texts: Sequence[str]) -> list[LabellerPrediction]:
        def score(rows: list[list[int]]) -> Any:
            return list(predictor.all_probabilities(rows))

        results = score_window(
            texts,
            list(texts),
            predictor.tokenizer.encode,
            score,
            max_chars,
            section.tokens_per_batch,
            first.answers if first else None,
        )
        heads = predictor.settings.heads
        by_task = split_by_task(results, heads)
        names = next((head.labels for head in heads if head.task == "category"), ())
        categories = [None if scores is None else names[int(scores.argmax())] for scores in by_task["category"]]
        return [
            LabellerPrediction(*labels)
            for labels in zip(
                column_of(by_task["sentiment"], 1), categories, column_of(by_task["toxicity"], 1), strict=True
            )
        ]

    return judge


def to_row(result: TextResult, spec: WriterSpec, stage: str, producer: str) -> dict[str, Any]:
    """Returns the columns of a table of generated texts, without `fingerprint` and `batch_id`.

    Args:
        result: of the request.
        spec: describes the writer.
        stage: written into `error`.
        producer: `provenance.content_producer`.
    """
    request, written, error = result.request, result.written, result.error
    id_ = text_id(request, spec.prompt_version, spec.model_name, spec.model_version)
    has_counts = written.prompt_tokens or written.new_tokens
    return {
        "text_id": id_,
        "purpose": request.purpose,
        "product_id": request.product_id,
        "record_id": request.record_id,
        "lang_code": request.lang_code,
        "text": written.text,
        "visible_label": VISIBLE_LABELS[request.lang_code],
        "is_synthetic": True,
        "aigc": aigc_metadata(written.text, id_, producer).to_json(),
        "model_name": spec.model_name,
        "model_version": spec.model_version,
        "prompt_fingerprint": prompt_fingerprint(request, spec.prompt_version),
        "seed": result.seed,
        "decoding": decoding_json(spec),
        "source_record_ids": list(result.source_record_ids),
        "checks": [check._asdict() for check in result.checks],
        "attempt_count": result.attempts,
        "error": error and {"class": error.error_class, "message": error.message, "stage": stage},
        "meta": {
            "is_truncated": written.is_truncated,
            "prompt_token_count": written.prompt_tokens,
            "token_count": written.new_tokens,
        }
        if has_counts
        else None,
    }


def sort_key(row: dict[str, Any]) -> tuple[int, str]:
    """Returns the length of a row's text and its id, because rows must not depend on the order of arrival."""
    return len(row["text"] or ""), row["text_id"]


def windows(lines: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """Cuts lines into lists of `size`; the last may be shorter."""
    window: list[Any] = []
    for line in lines:
        window.append(line)
        if len(window) >= size:
            yield window
            window = []
    if window:
        yield window
