"""Settings at a second value, without a JVM: each reaches its function and changes what comes of it."""

from pathlib import Path
from typing import Any

import pytest

from reviewgen_spark.config import ChecksSection, Config, SummariseSection, TokensSection, WeakLabelsSection
from reviewgen_spark.operations.demo import demo
from reviewgen_spark.operations.demo.sample import write_sample
from reviewgen_spark.operations.doctor.doctor import examine_machine
from reviewgen_spark.orchestration import session
from reviewgen_spark.text.checks.checks import CheckLists, Judged, check_text
from reviewgen_spark.text.opinions.aspects import OpinionReader
from reviewgen_spark.text.opinions.labelling_functions import Ballot, Voters
from reviewgen_spark.text.requests.request import Request, Source
from reviewgen_spark.text.summaries.summary import Review, summarise
from reviewgen_spark.transforms.dictionaries import driver_dictionaries, driver_safety_lists
from tests.conftest import ConfigFactory
from tests.unit.test_session import Builder

CHINESE = "这款耳机音质清楚戴着也不累就是电池只能撑半天"
ENGLISH = "The battery lasts half a day and the sound is clear enough for me"


@pytest.fixture(scope="module")
def lists() -> CheckLists:
    return CheckLists.load(driver_safety_lists(), driver_dictionaries())


def request(lang_code: str, **values: Any) -> Request:
    source = Source("r1", CHINESE if lang_code == "zh" else ENGLISH)
    return Request(**{"purpose": "product_copy", "product_id": "p", "lang_code": lang_code, "length": "short",
                      "sources": (source,), **values})  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "check", "text", "asked", "judged"),
    [
        ("length_tolerance_pct", 100, "length", "好" * 55, request("zh"), Judged()),
        ("min_language_score", 0.9, "language", "Battery is good 电池", request("zh"), Judged()),
        ("max_repetition", 0.9, "repetition", "音质真好" * 5, request("zh"), Judged()),
        ("max_toxicity", 0.7, "harm", "音质不错", request("zh"), Judged(toxicity_score=0.6)),
        (
            "max_contradiction", 0.9, "sentiment", "音质不错",
            request("zh", purpose="augmentation", sentiment="positive"), Judged(sentiment_score=0.2),
        ),
        ("max_copied_zh", 20, "copying", CHINESE[:18], request("zh"), Judged()),
        ("max_copied_en", 10, "copying", " ".join(ENGLISH.split()[:9]), request("en"), Judged()),
    ],
)  # fmt: skip
def test_limits_of_checks(
    field: str, value: float, check: str, text: str, asked: Request, judged: Judged, lists: CheckLists
) -> None:
    verdicts = [
        {found.name: found.is_passed for found in check_text(text, asked, lists, limits, judged)}[check]
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
def test_the_least_score_of_each_voter(field: str, value: float, ballot: Ballot) -> None:
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
def test_bounds_of_summaries(field: str, value: int, counted: list[str], quoted: bool) -> None:
    texts = ["The battery is better than that of the other one."] * 4 + [
        "The screen is wide enough for two people."
    ] * 3
    reviews = [Review(str(place), text, "en") for place, text in enumerate(texts)]
    reader = OpinionReader(TokensSection(), driver_dictionaries())

    def told(**settings: int) -> tuple[list[str | None], bool]:
        section = SummariseSection(**{"min_mentions": 3, "max_counts": 2, **settings})
        summary = summarise(reviews, len(reviews), reader, section)
        assert summary is not None
        counts = [claim.aspect for claim in summary.claims if claim.kind == "count"]
        return counts, any(claim.kind == "quote" for claim in summary.claims)

    assert told() == (["battery", "screen"], True)
    assert told(**{field: value}) == (counted, quoted)


def test_keywords_are_aspects_of_a_summary() -> None:
    reviews = [Review(str(place), "The hinge is sturdy and well made.", "en") for place in range(3)]
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
def test_settings_of_a_session(override: str, setting: str, value: str, make_config: ConfigFactory) -> None:
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
def test_settings_of_a_local_jvm(
    override: str, setting: str, value: str, make_config: ConfigFactory, tmp_path: Path
) -> None:
    def told(*overrides: str) -> str:
        builder = Builder()
        session._local_launch(builder, make_config(f"paths.jars={tmp_path}", *overrides))  # type: ignore[arg-type]
        return builder.told[setting]

    (tmp_path / "delta.jar").touch()
    assert value not in told() and value in told(override)


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
        demo.run_demo(None, config, 40)  # type: ignore[arg-type]  # it ends before it needs a session
    assert {folder.name for folder in Path(config.paths.landing).iterdir()} == {"incoming", "judged"}


SHARED_MEMORY = Path("/dev/shm")


def test_doctor_looks_at_the_disk_of_exports(make_config: ConfigFactory, tmp_path: Path) -> None:
    if not SHARED_MEMORY.is_dir() or SHARED_MEMORY.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")

    def disks(config: Config) -> list[str]:
        return [found.found for found in examine_machine(config) if found.what == "disk"]

    elsewhere = f"paths.exports={SHARED_MEMORY}/exports"
    none = make_config(elsewhere, "tables.parquet_exports=[]")
    some = make_config(elsewhere, "tables.parquet_exports=[silver_tokens]")
    assert not any(str(SHARED_MEMORY) in disk for disk in disks(none))
    assert any(str(SHARED_MEMORY) in disk for disk in disks(some))
