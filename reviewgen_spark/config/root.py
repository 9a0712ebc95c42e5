"""Declares the whole configuration, with the checks across sections."""

import warnings
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, model_validator

from reviewgen_spark.config.compression import CompressSection, DistilSection, RegisterCompressedSection
from reviewgen_spark.config.generation import (
    ChecksSection,
    GenerateSection,
    GenerationSection,
    ProvenanceSection,
    ReplySection,
)
from reviewgen_spark.config.generator import (
    EvaluateGeneratorSection,
    FinetuneGeneratorSection,
    PretrainGeneratorSection,
)
from reviewgen_spark.config.label import LabelSection
from reviewgen_spark.config.products import KeywordsSection, ReportSection, SatisfactionSection, SummariseSection
from reviewgen_spark.config.reviews import (
    CleanSection,
    DedupSection,
    FreshnessSection,
    IngestSection,
    QualitySection,
    SplitSection,
    TokensSection,
    WeakLabelsSection,
)
from reviewgen_spark.config.training import (
    EvaluateSection,
    FinetuneSection,
    ModelsSection,
    PretrainSection,
    RegisterSection,
    TuneSection,
)
from reviewgen_spark.config.warehouse import LeaseSection, PathsSection, SparkSection, TablesSection

# The section of the stage `register` has the name of a method of pydantic's metaclass, which is harmless.
warnings.filterwarnings("ignore", message='Field name "register"', category=UserWarning)


class Config(BaseModel):
    """Holds the whole configuration, one attribute for each section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: PathsSection
    spark: SparkSection = SparkSection()
    lease: LeaseSection = LeaseSection()
    tables: TablesSection = TablesSection()
    freshness: FreshnessSection = FreshnessSection()
    ingest: IngestSection = IngestSection()
    clean: CleanSection = CleanSection()
    quality: QualitySection = QualitySection()
    dedup: DedupSection = DedupSection()
    split: SplitSection = SplitSection()
    tokens: TokensSection = TokensSection()
    weak_labels: WeakLabelsSection = WeakLabelsSection()
    keywords: KeywordsSection = KeywordsSection()
    models: ModelsSection = ModelsSection()
    pretrain: PretrainSection = PretrainSection()
    finetune: FinetuneSection = FinetuneSection()
    pretrain_generator: PretrainGeneratorSection = PretrainGeneratorSection()
    finetune_generator: FinetuneGeneratorSection = FinetuneGeneratorSection()
    evaluate_generator: EvaluateGeneratorSection = EvaluateGeneratorSection()
    distil: DistilSection = DistilSection()
    compress: CompressSection = CompressSection()
    register_compressed: RegisterCompressedSection = RegisterCompressedSection()
    tune: TuneSection = TuneSection()
    evaluate: EvaluateSection = EvaluateSection()
    register: RegisterSection = RegisterSection()
    label: LabelSection = LabelSection()
    satisfaction: SatisfactionSection = SatisfactionSection()
    checks: ChecksSection = ChecksSection()
    provenance: ProvenanceSection = ProvenanceSection()
    summarise: SummariseSection = SummariseSection()
    report: ReportSection = ReportSection()
    generation: GenerationSection = GenerationSection()
    reply: ReplySection = ReplySection()
    generate: GenerateSection = GenerateSection()

    @model_validator(mode="after")
    def _check_sections(self) -> "Config":
        if self.split.train_pct + self.split.validation_pct >= 100:
            raise ValueError("split: train_pct + validation_pct must be below 100, to leave something for test")
        if self.ingest.timezone not in available_timezones():
            raise ValueError(
                f"ingest.timezone: got {self.ingest.timezone!r}, expected an IANA name such as Asia/Shanghai"
            )
        if self.lease.ttl_s < 2 * self.lease.heartbeat_s:
            raise ValueError(
                "lease.ttl_s must be at least twice lease.heartbeat_s, because a slow heartbeat would lose the lease"
            )
        return self

    @property
    def timezone(self) -> ZoneInfo:
        """Returns the zone of source timestamps without a zone."""
        return ZoneInfo(self.ingest.timezone)
