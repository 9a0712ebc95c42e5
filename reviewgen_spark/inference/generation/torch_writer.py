"""Writes texts with a registered generator on a worker.

Prompts of similar length share a batch, and each row has a seed of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reviewgen_spark.config import GenerationSection
from reviewgen_spark.errors import RequestError
from reviewgen_spark.inference.generation.writers import WriterOutput
from reviewgen_spark.inference.labelling.batching import RowError, is_out_of_memory, no_memory
from reviewgen_spark.inference.shipping.gpu_lock import gpu_lock
from reviewgen_spark.inference.shipping.ship import ModelLike, ShippedModel, ship
from reviewgen_spark.inference.shipping.worker import load_shipped_generator
from reviewgen_spark.models.generator.control_codes import CODES_VERSION
from reviewgen_spark.models.generator.generator_folder import GENERATOR_FILES, load_generator, read_generator
from reviewgen_spark.text.requests.request import TextRequest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from reviewgen_spark.models.decoding.decoding import Continuation, Prompt
    from reviewgen_spark.models.generator.generator_folder import Generator


@dataclass(frozen=True)
class TorchSpec:
    """Describes a generator and its decoding. The generator is shipped, or is in a folder of this machine."""

    model_name: str
    model_version: int
    shipped: ShippedModel | None
    folder: str
    section: GenerationSection

    prompt_version = CODES_VERSION
    is_alone = False
    is_model = True

    @property
    def is_seeded(self) -> bool:
        """Returns False at temperature 0, because then the most probable token is always taken."""
        return self.section.decoding.temperature > 0

    @property
    def decoding(self) -> Mapping[str, Any]:
        """Returns how tokens are chosen. The keys of a watermark are left out, because they are secret."""
        settings = {"precision": self.section.precision, **self.section.decoding.model_dump()}
        return {**settings, "watermark": "synthid-text"} if self.section.watermark.keys else settings

    def open(self) -> "TorchWriter":
        """Opens a writer. A shipped generator is loaded once a process."""
        section = self.section
        if self.shipped is not None:
            generator = load_shipped_generator(self.shipped, section.device, section.precision, section.threads)
        else:
            from pathlib import Path

            from reviewgen_spark.models.classifier.loading import choose_device

            generator = load_generator(Path(self.folder), choose_device(section.device), section.precision)
        return TorchWriter(generator, section)


def torch_spec(model: ModelLike, section: GenerationSection, spark: "SparkSession | None" = None) -> TorchSpec:
    """Returns the spec of a registered generator. With a session, the generator is shipped to the executors.

    Raises:
        ModelNotFoundError: its files are missing or damaged.
    """
    read_generator(model.path)
    shipped = None
    if spark is not None:
        shipped = ship(spark, model, section.weights, section.broadcast_max_mb, GENERATOR_FILES)
    return TorchSpec(model.name, model.version, shipped, str(model.path), section)


class TorchWriter:
    """Decodes batches of requests."""

    def __init__(self, generator: "Generator", section: GenerationSection) -> None:
        """Takes a loaded generator."""
        from reviewgen_spark.models.decoding.decoding import Specials

        self._generator, self._section = generator, section
        self.copies = generator.copies
        tokenizer = generator.tokenizer
        self._specials = Specials(tokenizer.end_id, tokenizer.pad_id, tuple(tokenizer.banned_ids))

    def write(self, requests: Sequence[TextRequest]) -> list[WriterOutput]:
        """Writes a text for each request. If a prompt does not fit, its request alone gets an error."""
        from reviewgen_spark.models.decoding.decoding import Prompt

        results: list[WriterOutput] = [WriterOutput() for _ in requests]
        prompts: dict[int, Prompt] = {}
        for row, request in enumerate(requests):
            try:
                prompts[row] = Prompt(self._generator.tokenizer.encode_prompt(request), request.seed)
            except RequestError as error:
                results[row] = WriterOutput(error=RowError("PromptRefused", str(error)))
        for row, decoded in self._decode(prompts).items():
            results[row] = self._read(prompts[row], decoded)
        return results

    def _decode(self, prompts: "dict[int, Prompt]") -> "dict[int, Continuation | RowError]":
        """Decodes each prompt. If memory is too small, halves the tokens of a batch, down to one row."""
        max_new_tokens, tokens_per_batch = self._section.decoding.max_new_tokens, self._section.tokens_per_batch
        results: dict[int, Continuation | RowError] = {}
        while waiting := {row: prompt for row, prompt in prompts.items() if row not in results}:
            try:
                for row, text in self._continue(waiting, tokens_per_batch):
                    results[row] = text
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            else:
                break
            # Outside the except block: the traceback there would keep the failed batch's tensors alive.
            shortest = min(waiting.keys() - results.keys(), key=lambda row: prompts[row].rank)  # the next one in order
            tokens = len(prompts[shortest].ids) + max_new_tokens
            if tokens_per_batch < 2 * tokens:
                results[shortest] = no_memory(tokens)
            else:
                tokens_per_batch //= 2
        return results

    def _continue(self, prompts: "dict[int, Prompt]", tokens_per_batch: int) -> "Iterator[tuple[int, Continuation]]":
        from reviewgen_spark.models.decoding.decoding import continue_prompts
        from reviewgen_spark.models.decoding.watermark import make_watermark

        model, marking = self._generator.model, self._section.watermark
        rows, device = list(prompts), str(model.device)
        with gpu_lock(device):
            mark = make_watermark(marking.keys, marking.ngram, device) if marking.keys else None
            context = self._generator.settings.max_tokens
            for position, text in continue_prompts(
                model, list(prompts.values()), self._section.decoding, self._specials, tokens_per_batch, context, mark
            ):
                yield rows[position], text

    def _read(self, prompt: "Prompt", decoded: "Continuation | RowError") -> WriterOutput:
        if isinstance(decoded, RowError):
            return WriterOutput(error=decoded, prompt_tokens=len(prompt.ids))
        read, written = len(prompt.ids), len(decoded.ids)
        if decoded.is_broken:
            message = "the generator gave no finite numbers; generation.precision float32 may help"
            return WriterOutput(error=RowError("NotFinite", message), prompt_tokens=read, new_tokens=written)
        text = self._generator.tokenizer.decode(decoded.ids)
        if not text:
            empty = RowError("EmptyText", "the generator wrote nothing that can be read")
            return WriterOutput(error=empty, prompt_tokens=read, new_tokens=written)
        return WriterOutput(text, None, read, written, is_truncated=not decoded.is_finished)
