"""Tests settings at a second value, without a JVM: each reaches its function and changes the result."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from reviewgen_spark.jobs import generate, reply

from reviewgen_spark.config import (
    ChecksSection,
    Config,
    EndpointSection,
    GenerationSection,
    IngestSection,
    KeywordsSection,
    RegisterCompressedSection,
    SummariseSection,
    TokensSection,
    WeakLabelsSection,
)
from reviewgen_spark.errors import ConfigError, ModelNotFoundError
from reviewgen_spark.inference.generation.endpoint import endpoint_spec
from reviewgen_spark.models.compression.variants import VariantFigures
from reviewgen_spark.models.registry.mlflow_store import open_client
from reviewgen_spark.models.registry.promotion_gate import judge_compressed
from reviewgen_spark.operations.demo import demo
from reviewgen_spark.operations.demo.sample import write_sample
from reviewgen_spark.operations.doctor.doctor import examine_machine
from reviewgen_spark.operations.text_export import exported_row
from reviewgen_spark.orchestration import session
from reviewgen_spark.orchestration.artifacts import Artifacts
from reviewgen_spark.orchestration.resources.models import base_model, corpus_labels, teacher
from reviewgen_spark.orchestration.resources.user_key import user_key
from reviewgen_spark.orchestration.resources.writers import writing
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.products.keywords import product_words
from reviewgen_spark.text.checks.checks import CheckLists, LabellerPrediction, check_text
from reviewgen_spark.text.opinions.aspects import OpinionReader
from reviewgen_spark.text.opinions.labelling_functions import Ballot, Voters
from reviewgen_spark.text.requests.provenance import aigc_metadata
from reviewgen_spark.text.requests.request import Source, TextRequest
from reviewgen_spark.text.summaries.sentences import ReviewText
from reviewgen_spark.text.summaries.summary import summarise
from reviewgen_spark.text.words.tokeniser import Tokeniser
from reviewgen_spark.transforms.dictionaries import driver_dictionaries, driver_safety_lists
from reviewgen_spark.transforms.ingest.batch_plan import reserve
from reviewgen_spark.transforms.ingest.listing import Delivery
from reviewgen_spark.transforms.ingest.record_parsing import ReviewParser
from reviewgen_spark.transforms.ingest.scan import Scan
from tests.conftest import ConfigFactory
from tests.unit.test_session import Builder

CHINESE = "这款耳机音质清楚戴着也不累就是电池只能撑半天"
ENGLISH = "The battery lasts half a day and the sound is clear enough for me"


@pytest.fixture(scope="module")
def lists() -> CheckLists:
    return CheckLists.load(driver_safety_lists(), driver_dictionaries())


def request(lang_code: str, **values: Any) -> TextRequest:
    source = Source("r1", CHINESE if lang_code == "zh" else ENGLISH)
    return TextRequest(**{"purpose": "product_copy", "product_id": "p", "lang_code": lang_code, "length": "short",
                      "sources": (source,), **values})  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "check", "text", "text_request", "judged"),
    [
        ("length_tolerance_pct", 100, "length", "好" * 55, request("zh"), LabellerPrediction()),
        ("min_language_score", 0.9, "language", "Battery is good 电池", request("zh"), LabellerPrediction()),
        ("max_repetition", 0.9, "repetition", "音质真好" * 5, request("zh"), LabellerPrediction()),
        ("max_toxicity", 0.7, "harm", "音质不错", request("zh"), LabellerPrediction(toxicity_score=0.6)),
        (
            "max_contradiction", 0.9, "sentiment", "音质不错",
            request("zh", purpose="augmentation", sentiment="positive"), LabellerPrediction(sentiment_score=0.2),
        ),
        ("max_copied_zh", 20, "copying", CHINESE[:18], request("zh"), LabellerPrediction()),
        ("max_copied_en", 10, "copying", " ".join(ENGLISH.split()[:9]), request("en"), LabellerPrediction()),
    ],
)  # fmt: skip
def test_limits_of_checks_change_the_verdict(
    field: str,
    value: float,
    check: str,
    text: str,
    text_request: TextRequest,
    judged: LabellerPrediction,
    lists: CheckLists,
) -> None:
    verdicts = [
        {result.name: result.is_passed for result in check_text(text, text_request, lists, limits, judged)}[check]
        for limits in (ChecksSection(), ChecksSection(**{field: value}))
    ]
    assert verdicts == [False, True]


@pytest.mark.parametrize(
    ("field", "value", "ballot"),
    [
        ("lexicon_min_score", 1.0, Ballot("很好", ["很好"], "zh-hans", None)),
        ("vader_min_score", 0.5, Ballot("The room is good", ["room"], "en", None)),
        ("textblob_min_score", 0.8, Ballot("The room is good", ["room"], "en", None)),
        ("snownlp_min_score", 0.6, Ballot("很好", ["很好"], "zh-hans", None)),
    ],
)
def test_a_voter_abstains_below_its_minimum_score(field: str, value: float, ballot: Ballot) -> None:
    voter = field.removesuffix("_min_score")
    votes = [
        Voters(WeakLabelsSection(voters=(voter,), **settings), driver_dictionaries()).votes(ballot)
        for settings in ({}, {field: value})
    ]
    assert votes == [{voter: "positive"}, {}]


@pytest.mark.parametrize(
    ("field", "value", "counted", "quoted"),
    [
        ("max_counts", 1, ["battery"], True),
        ("min_mentions", 4, ["battery"], True),
        ("max_words", 6, ["battery", "screen"], False),
    ],
)
def test_summaries_respect_their_bounds(field: str, value: int, counted: list[str], quoted: bool) -> None:
    texts = ["The battery is better than that of the other one."] * 4 + [
        "The screen is wide enough for two people."
    ] * 3
    reviews = [ReviewText(str(index), text, "en") for index, text in enumerate(texts)]
    reader = OpinionReader(TokensSection(), driver_dictionaries())

    def counts_and_quotes(**settings: int) -> tuple[list[str | None], bool]:
        section = SummariseSection(**{"min_mentions": 3, "max_counts": 2, **settings})
        summary = summarise(reviews, len(reviews), reader, section)
        assert summary is not None
        counts = [claim.aspect for claim in summary.claims if claim.kind == "count"]
        return counts, any(claim.kind == "quote" for claim in summary.claims)

    assert counts_and_quotes() == (["battery", "screen"], True)
    assert counts_and_quotes(**{field: value}) == (counted, quoted)


def test_keywords_are_aspects_of_a_summary() -> None:
    reviews = [ReviewText(str(index), "The hinge is sturdy and well made.", "en") for index in range(3)]
    reader = OpinionReader(TokensSection(), driver_dictionaries())

    def aspects(keywords: int) -> set[str | None]:
        section = SummariseSection(min_mentions=2, keywords=keywords)
        summary = summarise(reviews, 3, reader, section, ["hinge"])
        return {claim.aspect for claim in summary.claims if claim.kind == "count"} if summary else set()

    assert aspects(1) - aspects(0) == {"hinge"}


@pytest.mark.parametrize(
    ("override", "setting", "value"),
    [
        ("spark.shuffle_partitions=7", "spark.sql.shuffle.partitions", "7"),
        ("spark.arrow_max_rows=9", "spark.sql.execution.arrow.maxRecordsPerBatch", "9"),
        ("spark.arrow_max_bytes=65536", "spark.sql.execution.arrow.maxBytesPerBatch", "65536"),
        ("spark.extra={spark.sql.shuffle.partitions: '3'}", "spark.sql.shuffle.partitions", "3"),
    ],
)
def test_a_session_gets_its_settings(override: str, setting: str, value: str, make_config: ConfigFactory) -> None:
    assert session.session_settings(make_config())[setting] != value
    assert session.session_settings(make_config(override))[setting] == value


@pytest.mark.parametrize(
    ("override", "setting", "value"),
    [
        ("spark.master=local[1]", "spark.master", "local[1]"),
        ("spark.driver_memory=5g", "spark.driver.memory", "5g"),
        ("spark.log_level=ERROR", "spark.driver.extraJavaOptions", "-Dreviewgen.log.level=ERROR"),
    ],
)
def test_a_local_jvm_gets_its_settings(
    override: str, setting: str, value: str, make_config: ConfigFactory, tmp_path: Path
) -> None:
    def value_of(*overrides: str) -> str:
        builder = Builder()
        session._local_launch(builder, make_config(f"paths.jars={tmp_path}", *overrides))  # type: ignore[arg-type]
        return builder.settings[setting]

    (tmp_path / "delta.jar").touch()
    assert value not in value_of() and value in value_of(override)


def test_the_sample_is_written_to_the_folders_that_ingest_reads(
    make_config: ConfigFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WrittenError(Exception):
        pass

    def write_and_stop(*arguments: Any, **options: Any) -> None:
        write_sample(*arguments, **options)
        raise WrittenError

    monkeypatch.setattr(demo, "write_sample", write_and_stop)
    config = make_config("ingest.reviews=incoming", "ingest.gold_labels=judged")
    with pytest.raises(WrittenError):
        demo.run_demo(None, config, 40, "reviewgen")  # type: ignore[arg-type]  # it ends before it needs a session
    assert {folder.name for folder in Path(config.paths.landing).iterdir()} == {"incoming", "judged"}


SHARED_MEMORY = Path("/dev/shm")


def test_doctor_checks_the_disk_of_exports(make_config: ConfigFactory, tmp_path: Path) -> None:
    if not SHARED_MEMORY.is_dir() or SHARED_MEMORY.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")

    def disks(config: Config) -> list[str]:
        return [finding.message for finding in examine_machine(config) if finding.subject == "disk"]

    elsewhere = f"paths.exports={SHARED_MEMORY}/exports"
    none = make_config(elsewhere, "tables.parquet_exports=[]")
    some = make_config(elsewhere, "tables.parquet_exports=[silver_tokens]")
    assert not any(str(SHARED_MEMORY) in disk for disk in disks(none))
    assert any(str(SHARED_MEMORY) in disk for disk in disks(some))


def test_artifacts_are_written_to_the_configured_folder(make_config: ConfigFactory, tmp_path: Path) -> None:
    config = make_config("paths.artifacts=elsewhere", "models.base=pretrained")
    with pytest.raises(ModelNotFoundError, match="elsewhere"):
        base_model(config)
    assert Artifacts(config.paths.artifacts).latest("corpus").parent == tmp_path / "elsewhere" / "corpus"


def test_source_and_time_zone_change_a_record(make_config: ConfigFactory) -> None:
    record = {"review_id": "r", "product_id": "p", "text": "好", "created_at": "2026-01-05T08:00:00"}

    def read(*overrides: str) -> dict[str, Any]:
        config = make_config(*overrides)
        return dict(ReviewParser(config.ingest.source, config.timezone).parse(record).values)

    plain, utc, other = read(), read("ingest.timezone=UTC"), read("ingest.source=market")
    assert (utc["created_at"] - plain["created_at"]).total_seconds() == 8 * 3600
    assert (plain["source"], other["source"]) == ("shop", "market") and plain["record_id"] != other["record_id"]


def test_batch_limits_change_the_batches() -> None:
    scan = Scan(Delivery("reviews", "a.jsonl", "jsonl", 1, datetime(2026, 1, 5, tzinfo=UTC)), "hash", 10, 3, None)

    def reserved(**settings: Any) -> list[tuple[str, int]]:
        return [(row["state"], row["batch_id"]) for row in reserve([scan], set(), 5, IngestSection(**settings))]

    assert reserved() == [("rejected", 5)]
    assert reserved(max_quarantine_pct=30) == [("reserved", 5)]
    assert reserved(max_quarantine_pct=30, max_rows_per_batch=6) == [("reserved", 5), ("reserved", 6)]


def test_the_user_key_file_is_configurable(
    make_config: ConfigFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REVIEWGEN_USER_KEY")
    plain = user_key(make_config())
    other = user_key(make_config("clean.user_key_file=other_key"))
    assert (tmp_path / "other_key").is_file() and plain.hashes != other.hashes
    with pytest.raises(ConfigError, match="REVIEWGEN_USER_KEY"):
        user_key(make_config("clean.user_key_file=null"))


def test_stop_words_are_not_content_words() -> None:
    def content_words(stop_words: str | None) -> list[str]:
        return (
            Tokeniser(TokensSection(stop_words=stop_words), driver_dictionaries()).words("这个手机的屏幕").content_words
        )

    assert set(content_words("stop_words.txt")) < set(content_words(None))


def test_the_window_changes_the_ranked_words() -> None:
    words = [["房间", "干净", "早餐", "安静", "电池"]] * 3
    table = pa.table({"product_id": ["p"] * 3, "content_words": words})

    def ranked(window: int) -> list[Any]:
        [batch] = product_words(table.to_batches(), KeywordsSection(min_reviews=1, window=window))
        return [row["ranked"] for row in batch.to_pylist()]

    assert ranked(2) != ranked(5)


def create_registry(config: Config) -> None:
    with open_client(config.paths.tracking_uri, creates=True) as client:
        client.search_registered_models()


def test_base_and_name_select_the_model(make_config: ConfigFactory, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert base_model(make_config(f"models.base={tmp_path}")).hashes and not base_model(make_config()).hashes
    create_registry(make_config())
    with pytest.raises(ModelNotFoundError, match="other_name"):
        teacher(make_config("models.name=other_name"))


def test_labels_and_tasks_change_the_corpus(make_config: ConfigFactory) -> None:
    changes = ((), ("finetune.labels=weak",), ("finetune.tasks=[sentiment, stars]",))
    assert len({str(corpus_labels(make_config(*change)).hashes) for change in changes}) == 3


def test_a_generator_is_trained_on_next_tokens_of_longer_texts(make_config: ConfigFactory) -> None:
    section = make_config("pretrain_generator.max_tokens=1024").pretrain_generator
    assert (section.max_tokens, section.objective) == (1024, "clm")
    for override in ("pretrain.max_tokens=1024", "pretrain_generator.objective=mlm"):
        with pytest.raises(ConfigError, match=override.partition("=")[0]):
            make_config(override)


def test_a_compressed_model_may_lose_the_configured_f1() -> None:
    plain = {"size_mb": 9.0, "parameters": 9, "rows_per_s": 9.0, "f1": 0.9, "f1_low": 0.8, "f1_high": 1.0,
             "f1_lost": 0.0, "f1_lost_low": 0.0, "f1_lost_high": 0.0, "agreement": 1.0}  # fmt: skip
    above = VariantFigures("teacher", **plain)
    below = VariantFigures("compressed", **{**plain, "f1": 0.88, "f1_lost": 0.02, "size_mb": 2.0, "rows_per_s": 99.0})
    assert not judge_compressed(above, below, RegisterCompressedSection()).promoted
    assert judge_compressed(above, below, RegisterCompressedSection(max_f1_loss=0.03)).promoted


def test_name_and_alias_select_the_generator(make_config: ConfigFactory) -> None:
    create_registry(make_config())
    for override in ("generation.name=other_generator", "generation.alias=elsewhere"):
        with pytest.raises(ModelNotFoundError, match=override.partition("=")[2]):
            writing(make_config(override), "torch")


def test_endpoint_settings_select_the_endpoint() -> None:
    defaults = {"url": "http://localhost:1/v1", "model": "one", "version": 1}
    plain, other = (
        endpoint_spec(GenerationSection(endpoint=EndpointSection(**{**defaults, **more})))
        for more in ({}, {"url": "http://localhost:2/v1", "model": "two", "version": 2})
    )
    assert (plain.model_name, plain.model_version, plain.section.url) == ("one", 1, "http://localhost:1/v1")
    assert (other.model_name, other.model_version, other.section.url) == ("two", 2, "http://localhost:2/v1")


@pytest.mark.parametrize("stage", [reply.STAGE, generate.STAGE], ids=lambda stage: stage.name)
def test_a_stage_has_its_writer_and_error_limit(stage: Stage, make_config: ConfigFactory) -> None:
    config = make_config(f"{stage.name}.writer=template", f"{stage.name}.max_error_pct=42")
    assert stage.resources(config).value.writer == "template"
    with pytest.raises(ModelNotFoundError):
        stage.resources(make_config(f"{stage.name}.writer=torch"))
    assert stage.max_error_pct is not None
    assert stage.max_error_pct(config) == 42 != stage.max_error_pct(make_config())


def test_an_export_names_its_propagator(make_config: ConfigFactory) -> None:
    aigc = aigc_metadata("很抱歉", "t", "某店").to_json()
    row = {"text_id": "t", "purpose": "reply", "product_id": "p", "record_id": "r", "lang_code": "zh",
           "text": "很抱歉", "model_name": "m", "model_version": 1, "source_record_ids": [], "aigc": aigc}  # fmt: skip
    propagators = [
        exported_row(row, False, make_config(*override).provenance.content_propagator, "e")["AIGC"].get(
            "ContentPropagator"
        )
        for override in ((), ("provenance.content_propagator=某平台",))
    ]
    assert propagators[1] == "某平台" != propagators[0]
