"""From a request to a row: refuse, write, check, ask again with the next seed, and say where the text comes from.

No Spark here: the stages do it window by window on executors, `reviewgen write` on this machine.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewgen_spark.config import ChecksSection, GenerationSection, TokensSection
from reviewgen_spark.errors import DataQualityError
from reviewgen_spark.inference.generation.writers import Writer, WriterSpec, Written, decoding_json
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
"""Errors that say something of a request, and nothing of who writes."""
_WORTH_ANOTHER_SEED = frozenset({"EmptyText"})
_SEEDS = 2**63

JudgeTexts = Callable[[Sequence[str]], Sequence[LabellerPrediction]]
"""What the labeller says of texts, in their order."""


@dataclass(frozen=True)
class TextResult:
    """What became of a request in the end.

    Attributes:
        request: as it was asked for, with the first seed.
        written: of the last attempt.
        checks: of its text.
        attempts: how often it was asked for, from 1.
        source_record_ids: what it rests on; sources that read like instructions are left out.
    """

    request: TextRequest
    written: Written
    checks: tuple[TextCheck, ...] = ()
    attempts: int = 1
    source_record_ids: tuple[str, ...] = ()

    @property
    def seed(self) -> int:
        """Of the last attempt."""
        return (self.request.seed + self.attempts - 1) % _SEEDS

    @property
    def error(self) -> RowError | None:
        """Of the writer, or of the checks; it names no word of the text."""
        if self.written.error is None and (missed := failed(self.checks)):
            reasons = "; ".join(f"{check.name}: {check.reason or 'failed'}" for check in missed)
            return RowError(FAILED, f"{reasons}; tried {self.attempts} times")
        return self.written.error


@dataclass(frozen=True)
class TextWorker:
    """Who writes and who checks, opened where it is called.

    Attributes:
        writer: opened.
        spec: of the writer.
        lists: what checks read from files.
        limits: the `checks` section.
        judge: the labeller; None where none is registered, which the checks then say.
        max_attempts: of a request.
    """

    writer: Writer
    spec: WriterSpec
    lists: CheckLists
    limits: ChecksSection
    judge: JudgeTexts | None
    max_attempts: int

    def write(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        """Every request, in their order; what fails its checks is asked for again."""
        done: dict[int, TextResult] = {}
        waiting: dict[int, TextRequest] = {}  # what is sent: without sources that read like instructions
        for row, request in enumerate(requests):
            prepared = self._prepare(request)
            if isinstance(prepared, RowError):
                done[row] = TextResult(request, Written(error=prepared), source_record_ids=_sources(request))
            else:
                waiting[row] = prepared
        most = self.max_attempts if self.spec.is_seeded else 1
        for attempt in range(most):
            rows = list(waiting)
            asked = [replace(waiting[row], seed=(requests[row].seed + attempt) % _SEEDS) for row in rows]
            answers = self.writer.write(asked) if asked else []
            grounded = [self._ground(sent, text) for sent, text in zip(asked, answers, strict=True)]
            written = [text for text, _ in grounded]
            checks = self._check(asked, written)
            checks = [(*found, *ground) for found, (_, ground) in zip(checks, grounded, strict=True)]
            for row, sent, text, found in zip(rows, asked, written, checks, strict=True):
                done[row] = TextResult(requests[row], text, found, attempt + 1, _sources(sent))
                if not _is_worth_another(text, found):
                    del waiting[row]
        return [done[row] for row in range(len(requests))]

    def _prepare(self, request: TextRequest) -> TextRequest | RowError:
        if refused := refusal(request, self.lists.refused):
            return RowError(REFUSED, refused.reason)
        try:
            return without_injections(request)
        except DataQualityError as error:
            return RowError(INJECTED, str(error))

    def _ground(self, request: TextRequest, written: Written) -> tuple[Written, tuple[TextCheck, ...]]:
        """Drop the sentences of a model's summary or copy that nothing supports; all of them is a failed check."""
        if written.text is None or not self.spec.is_model or request.purpose not in PER_PRODUCT:
            return written, ()
        stated = [Source(pair.name, f"{pair.name} {pair.value}") for pair in request.attributes]
        found = Evidence([*request.sources, *stated], self.lists.reader).judge(written.text)
        reasons = sorted({judged.reason for judged in found.judgements if judged.reason})
        said = f"{len(found.judgements)} sentences, not supported: {', '.join(reasons)}" if reasons else None
        check = TextCheck("faithfulness", round(1 - found.score, 4), bool(found.text), said)
        return (replace(written, text=found.text) if found.text else written), (check,)

    def _check(self, requests: Sequence[TextRequest], written: Sequence[Written]) -> list[tuple[TextCheck, ...]]:
        rows = [row for row, found in enumerate(written) if found.text is not None]
        texts = [written[row].text or "" for row in rows]
        judged: Sequence[LabellerPrediction | None] = self.judge(texts) if self.judge and texts else [None] * len(texts)
        unseen = () if self.judge else (TextCheck("labeller", 0.0, True, "not checked: no labeller is registered"),)
        found: list[tuple[TextCheck, ...]] = [() for _ in written]
        for row, text, said in zip(rows, texts, judged, strict=True):
            request = requests[row]
            taught = self.writer.copies.get(request.lang_code)
            found[row] = (*check_text(text, request, self.lists, self.limits, said, taught), *unseen)
        return found


def _is_worth_another(written: Written, checks: tuple[TextCheck, ...]) -> bool:
    if written.error is not None:
        return written.error.error_class in _WORTH_ANOTHER_SEED
    return bool(failed(checks))


def _sources(request: TextRequest) -> tuple[str, ...]:
    return tuple(source.record_id for source in request.sources)


@lru_cache(maxsize=1)
def load_lists(safety: Path, dictionaries: Path, tokens: TokensSection) -> CheckLists:
    """The lists of this process, loaded once."""
    return CheckLists.load(safety, dictionaries, tokens)


def judge_with(
    predictor: "Predictor", section: GenerationSection, max_chars: int, first: "NgramClassifier | None" = None
) -> JudgeTexts:
    """Ask a labeller what it says of texts, in batches of like length.

    Args:
        predictor: a model of sentiment.
        section: how many tokens a batch has.
        max_chars: a longer text is not judged.
        first: answers what it is sure of, before the model.
    """

    def judge(texts: Sequence[str]) -> list[LabellerPrediction]:
        def score(rows: list[list[int]]) -> Any:
            return list(predictor.all_probabilities(rows))

        found = score_window(
            texts,
            list(texts),
            predictor.tokenizer.encode,
            score,
            max_chars,
            section.tokens_per_batch,
            first.answers if first else None,
        )
        heads = predictor.settings.heads
        by_task = split_by_task(found, heads)
        names = next((head.labels for head in heads if head.task == "category"), ())
        categories = [None if scores is None else names[int(scores.argmax())] for scores in by_task["category"]]
        return [
            LabellerPrediction(*said)
            for said in zip(
                column_of(by_task["sentiment"], 1), categories, column_of(by_task["toxicity"], 1), strict=True
            )
        ]

    return judge


def to_row(found: TextResult, spec: WriterSpec, stage: str, producer: str) -> dict[str, Any]:
    """The columns of a table of generated texts, but `fingerprint` and `batch_id`.

    Args:
        found: what became of the request.
        spec: who wrote.
        stage: for `error`.
        producer: `provenance.content_producer`.
    """
    request, written, error = found.request, found.written, found.error
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
        "seed": found.seed,
        "decoding": decoding_json(spec),
        "source_record_ids": list(found.source_record_ids),
        "checks": [check._asdict() for check in found.checks],
        "attempt_count": found.attempts,
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
    """Rows stand by the length of their texts, then by id, whatever order they came in."""
    return len(row["text"] or ""), row["text_id"]


def windows(lines: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """Cut into lists of `size`; the last may be shorter."""
    held: list[Any] = []
    for line in lines:
        held.append(line)
        if len(held) >= size:
            yield held
            held = []
    if held:
        yield held
