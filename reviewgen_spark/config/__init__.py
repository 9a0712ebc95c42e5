"""Declares the configuration: one section for each stage, and a few sections that stages share.

A field is a result field unless it is declared with `execution(...)`. Result fields shape the rows that a stage writes,
and are part of its fingerprint. Execution fields (sizes, parallelism, devices) can change without recomputing a table.
Modules here follow the pipelines; import a section from the package.
"""

from reviewgen_spark.config.compression import CompressSection, DistilSection, RegisterCompressedSection
from reviewgen_spark.config.conf_folder import default_conf_folder
from reviewgen_spark.config.generation import (
    ChecksSection,
    DecodingSection,
    EndpointSection,
    GenerateSection,
    GenerationSection,
    ProvenanceSection,
    ReplySection,
    WatermarkSection,
)
from reviewgen_spark.config.generator import (
    EvaluateGeneratorSection,
    FinetuneGeneratorSection,
    PretrainGeneratorSection,
)
from reviewgen_spark.config.label import LabelSection
from reviewgen_spark.config.loader import load_config
from reviewgen_spark.config.products import KeywordsSection, ReportSection, SatisfactionSection, SummariseSection
from reviewgen_spark.config.reviews import (
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
from reviewgen_spark.config.root import Config
from reviewgen_spark.config.section import Section, execution
from reviewgen_spark.config.training import (
    EvaluateSection,
    FinetuneSection,
    ModelsSection,
    PretrainSection,
    RegisterSection,
    TrainingSection,
    TuneSection,
)
from reviewgen_spark.config.warehouse import LeaseSection, PathsSection, SparkSection, TablesSection

__all__ = [
    "ChecksSection",
    "CleanSection",
    "CompressSection",
    "Config",
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
    "default_conf_folder",
    "execution",
    "load_config",
]
