"""The configuration: one section a stage, and a few for what stages share.

A field belongs to the `result` part of its section unless it is marked with `execution(...)`: result fields shape
the rows that a stage writes and enter its fingerprint; execution fields (sizes, parallelism, devices) re-compute
nothing when they change. Modules here follow the pipelines; import a section from the package.
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
