"""The sections of the configuration: one frozen model a stage, and a few for the things stages share.

A field belongs to the `result` part of its section unless it is marked with `execution(...)`: result fields shape
the rows that a stage writes and enter its fingerprint; execution fields (sizes, parallelism, devices) re-compute
nothing when they change. Modules here follow the pipelines; import a section from the package.
"""

from reviewgen_spark.sections.compression import CompressSection, DistilSection, RegisterCompressedSection
from reviewgen_spark.sections.generation import (
    ChecksSection,
    DecodingSection,
    EndpointSection,
    GenerateSection,
    GenerationSection,
    ProvenanceSection,
    ReplySection,
    WatermarkSection,
)
from reviewgen_spark.sections.generator import (
    EvaluateGeneratorSection,
    FinetuneGeneratorSection,
    PretrainGeneratorSection,
)
from reviewgen_spark.sections.label import LabelSection
from reviewgen_spark.sections.products import KeywordsSection, ReportSection, SatisfactionSection, SummariseSection
from reviewgen_spark.sections.reviews import (
    CleanSection,
    DedupSection,
    FreshnessSection,
    IngestSection,
    QualityRule,
    QualitySection,
    SplitSection,
    TokensSection,
    WeakLabelsSection,
)
from reviewgen_spark.sections.section import Section, execution
from reviewgen_spark.sections.training import (
    EvaluateSection,
    FinetuneSection,
    ModelsSection,
    PretrainSection,
    RegisterSection,
    TrainingSection,
    TuneSection,
)
from reviewgen_spark.sections.warehouse import LeaseSection, PathsSection, SparkSection, TablesSection

__all__ = [
    "ChecksSection",
    "CleanSection",
    "CompressSection",
    "DecodingSection",
    "DedupSection",
    "DistilSection",
    "EndpointSection",
    "EvaluateGeneratorSection",
    "EvaluateSection",
    "FinetuneGeneratorSection",
    "FinetuneSection",
    "FreshnessSection",
    "GenerateSection",
    "GenerationSection",
    "IngestSection",
    "KeywordsSection",
    "LabelSection",
    "LeaseSection",
    "ModelsSection",
    "PathsSection",
    "PretrainGeneratorSection",
    "PretrainSection",
    "ProvenanceSection",
    "QualityRule",
    "QualitySection",
    "RegisterCompressedSection",
    "RegisterSection",
    "ReplySection",
    "ReportSection",
    "SatisfactionSection",
    "Section",
    "SparkSection",
    "SplitSection",
    "SummariseSection",
    "TablesSection",
    "TokensSection",
    "TrainingSection",
    "TuneSection",
    "WatermarkSection",
    "WeakLabelsSection",
    "execution",
]
