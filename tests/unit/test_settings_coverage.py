"""Every setting has a test that sees another value change the result: a field without one fails here.

A row of COVERED names a test and the fields of a section that it covers. The test must be there and must name each
of these fields; fields that a section inherits are covered where they are declared.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

from reviewgen_spark import config
from reviewgen_spark.cli.settings_reference import walk_sections

TESTS = Path(__file__).parents[1]

COVERED: dict[type[BaseModel], dict[str, str]] = {
    config.PathsSection: {
        "test_config.py::test_paths_are_absolute_and_uris_stay": "root landing warehouse",
        "test_settings.py::test_doctor_looks_at_the_disk_of_exports": "exports",
        "test_doctor.py::test_without_java_the_rest_is_looked_at": "jars",
        "test_doctor.py::test_a_registry_that_does_not_answer": "mlflow_uri",
        "test_settings.py::test_where_stages_write_their_files": "artifacts",
        "test_file_modes.py::test_who_may_read_the_files_of_a_night": "permissions",
    },
    config.SparkSection: {
        "test_settings.py::test_settings_of_a_session": "shuffle_partitions arrow_max_rows arrow_max_bytes extra",
        "test_settings.py::test_settings_of_a_local_jvm": "master driver_memory log_level",
    },
    config.LeaseSection: {
        "test_settings.py::test_how_long_a_lease_lasts_and_how_often_it_is_renewed": "heartbeat_s ttl_s",
    },
    config.TablesSection: {
        "test_settings.py::test_which_tables_are_exported": "parquet_exports",
        "test_settings.py::test_how_long_history_is_kept": "retention_days",
    },
    config.FreshnessSection: {
        "test_freshness.py::test_late_input": "max_age_hours",
        "test_freshness.py::test_too_few_records": "min_records",
        "test_freshness.py::test_thin_input_against_the_median_not_the_mean": "min_share_of_usual_pct",
    },
    config.IngestSection: {
        "test_settings.py::test_what_a_record_is_read_as": "source timezone",
        "test_settings.py::test_which_folders_are_delivered_to": "reviews gold_labels",
        "test_settings.py::test_how_files_become_batches": "max_rows_per_batch max_quarantine_pct",
    },
    config.CleanSection: {
        "test_text_clean.py::test_long_text_is_cut_first": "max_chars",
        "test_text_clean.py::test_each_rule_can_be_switched": "repair_mojibake strip_html mark_urls simplify_chinese "
        "max_repeats emoji mask_pii",
        "test_settings.py::test_where_the_key_of_users_is": "user_key_file",
    },
    config.QualitySection: {
        "test_config.py::test_a_quality_rule_is_changed_by_its_name": "rules",
    },
    config.QualityRule: {
        "test_quality.py::test_rules_that_are_off_find_nothing_and_no_rules_are_no_failure": "severity",
        "test_quality.py::test_a_condition_that_is_none_is_told_with_its_rule": "when reason",
    },
    config.DedupSection: {
        "test_settings.py::test_whether_two_texts_count_as_copies": "kinds min_jaccard ngram bands rows",
    },
    config.SplitSection: {
        "test_split.py::test_the_split_ignores_order_partitions_and_growth": "seed",
        "test_split.py::test_corpora_of_benchmarks_are_split_as_the_pipeline_splits": "train_pct validation_pct",
    },
    config.TokensSection: {
        "test_text_tokens.py::test_user_dictionary_is_honoured": "user_dictionary",
        "test_text_tokens.py::test_engines_agree": "engine",
        "test_text_tokens.py::test_content_words_of_the_wanted_parts_of_speech": "parts_of_speech",
        "test_settings.py::test_stop_words_are_no_content_words": "stop_words",
    },
    config.WeakLabelsSection: {
        "test_voters.py::test_a_voter_below_its_score_abstains": "voters",
        "test_settings.py::test_the_least_score_of_each_voter": "lexicon_min_score vader_min_score textblob_min_score "
        "snownlp_min_score",
        "test_settings.py::test_the_least_probability_of_a_weak_label": "min_probability",
    },
    config.KeywordsSection: {
        "test_keywords.py::test_counts_are_those_of_plain_python_wherever_batches_are_cut": "top min_reviews "
        "max_reviews",
        "test_keywords.py::test_only_the_most_frequent_words_are_ranked": "methods max_words",
        "test_settings.py::test_how_far_apart_words_are_joined": "window",
    },
    config.ModelsSection: {
        "test_settings.py::test_which_base_and_name_a_model_has": "base name",
    },
    config.TrainingSection: {
        "test_training_settings.py::test_another_value_gives_other_weights": "max_tokens epochs batch_size "
        "learning_rate weight_decay warmup_pct dropout max_grad_norm embedding_rate seed precision accumulate",
        "test_training_settings.py::test_a_scratch_base_has_a_vocabulary_of_the_wanted_size": "vocabulary_size",
        "test_finetuning.py::test_early_stopping_keeps_the_best_epoch": "patience",
        "test_training_settings.py::test_how_a_training_runs": "threads compile",
        "test_training_settings.py::test_a_device_that_is_not_there_is_refused_by_each_training": "device",
    },
    config.PretrainSection: {
        "test_pretraining.py::test_the_loss_falls_and_the_folder_says_how": "objective",
        "test_training_settings.py::test_how_many_words_are_to_be_guessed": "mask_pct",
        "test_training_settings.py::test_what_a_pretraining_begins_with": "base",
    },
    config.FinetuneSection: {
        "test_training_settings.py::test_another_value_gives_other_weights": "augmentation augmentation_rate "
        "augmentation_share mixup_alpha optimizer schedule label_smoothing rank",
        "test_settings.py::test_what_shapes_a_corpus": "labels tasks",
        "test_finetuning.py::test_many_tasks_in_one_pass": "two_labels",
        "test_finetuning.py::test_few_shot_and_held_out_categories": "held_out_categories rows_per_label",
        "test_adapters.py::test_training_by_each_method_writes_a_plain_folder": "method",
        "test_back_translation.py::test_training_reads_the_variants": "back_translation",
        "test_finetuning.py::test_the_other_ways_learn_too": "class_weights",
        "test_distributed.py::test_two_processes_train_as_one_does": "processes",
    },
    config.PretrainGeneratorSection: {
        "test_settings.py::test_a_generator_learns_the_next_token_of_longer_texts": "objective max_tokens",
    },
    config.FinetuneGeneratorSection: {
        "test_generator_stages.py::test_nothing_is_pretrained_for_another_base": "base",
        "test_generator_stages.py::test_from_corpora_to_scores": "examples",
        "test_training_settings.py::test_how_many_examples_a_generator_learns_from": "max_rows max_keywords "
        "codes_dropped",
        "test_generator.py::test_any_checkpoint_is_taught_by_lora": "method",
        "test_training_settings.py::test_another_value_gives_another_generator": "max_tokens text_tokens epochs "
        "learning_rate embedding_rate rank",
        "test_finetuning.py::test_early_stopping_keeps_the_best_epoch": "patience",
    },
    config.EvaluateGeneratorSection: {
        "test_inference_settings.py::test_how_many_texts_a_generator_is_scored_on": "texts seed",
    },
    config.DistilSection: {
        "test_training_settings.py::test_another_value_gives_another_student": "base temperature soft_share epochs "
        "learning_rate dropout",
        "test_training_settings.py::test_how_many_unlabelled_reviews_a_student_reads": "max_unlabelled",
        "test_nightly.py::test_a_compressed_model_labels_under_its_own_alias": "teacher",
    },
    config.CompressSection: {
        "test_compression.py::test_a_student_is_pruned_recovers_and_is_measured": "methods heads_share",
        "test_compression.py::test_recovery_repairs_what_pruning_broke": "feed_forward_share recovery_epochs",
        "test_training_settings.py::test_which_share_of_magnitudes_is_set_to_zero": "magnitudes_share",
        "test_nightly.py::test_a_compressed_model_labels_under_its_own_alias": "onnx cascade_disagreement",
        "test_compression.py::test_a_cascade_answers_first_and_reads_the_rest": "cascade",
        "test_training_settings.py::test_on_how_many_rows_variants_are_timed": "timed_rows",
    },
    config.RegisterCompressedSection: {
        "test_settings.py::test_what_a_compressed_model_may_cost": "max_f1_loss",
        "test_registry.py::test_a_compressed_model_takes_its_own_alias_and_names_its_teacher": "alias",
    },
    config.TuneSection: {
        "test_training_settings.py::test_what_is_searched_and_for_how_long": "trials unpruned_trials learning_rate "
        "batch_size epochs dropout weight_decay warmup_pct label_smoothing seed",
    },
    config.EvaluateSection: {
        "test_training_settings.py::test_a_model_is_scored_on_as_many_perturbed_rows_as_wanted": "robustness_rows seed "
        "bootstrap_samples",
    },
    config.RegisterSection: {
        "test_gate.py::test_equal_or_worse_fails_and_the_margin_counts": "min_f1_gain",
        "test_gate.py::test_a_gain_within_chance_needs_to_be_asked_for": "evidence",
        "test_gate.py::test_no_slice_may_pay_for_the_rest": "max_slice_drop min_slice_rows",
        "test_gate.py::test_limits_hold_for_the_first_model_too": "max_size_mb max_latency_ms",
    },
    config.LabelSection: {
        "test_pins.py::test_what_was_pinned_last_serves_and_says_so": "alias without_registry",
        "test_inference_settings.py::test_what_a_label_depends_on": "max_chars precision",
        "test_label.py::test_onnx_gives_the_labels_of_torch": "runtime",
        "test_label.py::test_n_grams_answer_first_and_the_model_reads_the_rest": "cascade",
        "test_inference_settings.py::test_embeddings_come_from_the_pass_that_labels": "embeddings",
        "test_nightly.py::test_too_many_errors_publish_nothing": "max_error_pct",
        "test_shipping.py::test_labels_by_localcache": "weights",
        "test_shipping.py::test_a_node_fetches_a_model_once": "broadcast_max_mb",
        "test_inference_settings.py::test_a_model_that_labels_is_compiled": "compile",
        "test_inference_settings.py::test_how_many_tokens_a_batch_of_labels_has": "tokens_per_batch",
        "test_label.py::test_one_pass_fills_three_tables": "window_rows",
        "test_label.py::test_one_and_seven_partitions_agree": "partitions",
        "test_inference_settings.py::test_the_device_that_labels": "device",
        "test_inference_settings.py::test_threads_of_a_worker_that_labels": "threads",
    },
    config.SatisfactionSection: {
        "test_satisfaction.py::test_satisfaction_is_shrunk_to_the_shop_mean": "min_reviews",
        "test_settings.py::test_how_much_the_mean_of_the_shop_weighs": "prior_weight",
    },
    config.ChecksSection: {
        "test_settings.py::test_limits_of_checks": "length_tolerance_pct min_language_score max_repetition "
        "max_toxicity max_contradiction max_copied_zh max_copied_en",
    },
    config.ProvenanceSection: {
        "test_file_generation.py::test_a_line_out_for_each_line_in": "content_producer",
        "test_settings.py::test_who_spreads_an_export": "content_propagator",
    },
    config.SummariseSection: {
        "test_summaries.py::test_the_same_whatever_the_partitions": "max_reviews",
        "test_settings.py::test_bounds_of_summaries": "max_words max_counts min_mentions",
        "test_settings.py::test_keywords_are_aspects_of_a_summary": "keywords",
    },
    config.ReportSection: {
        "test_report.py::test_empty_tables_give_an_empty_report": "timezone",
        "test_settings.py::test_how_long_the_lists_of_the_report_are": "top_words top_products",
        "test_report.py::test_synthetic_columns_are_named_where_they_are_shown": "synthetic_columns",
    },
    config.GenerationSection: {
        "test_settings.py::test_which_generator_writes": "name alias",
        "test_inference_settings.py::test_how_a_generator_runs_here_and_on_a_worker": "precision device threads",
        "test_generate.py::test_the_champion_judges_texts": "max_attempts labeller",
        "test_settings.py::test_who_gets_which_reply": "seed",
        "test_inference_settings.py::test_how_a_generator_is_shipped": "weights broadcast_max_mb",
        "test_inference_settings.py::test_how_many_tokens_a_batch_of_texts_has": "tokens_per_batch",
        "test_generate.py::test_texts_do_not_depend_on_partitions": "window_rows partitions",
    },
    config.DecodingSection: {
        "test_inference_settings.py::test_another_way_to_decode_gives_other_texts": "temperature top_k top_p "
        "repetition_penalty no_repeat_ngram min_new_tokens max_new_tokens",
    },
    config.WatermarkSection: {
        "test_inference_settings.py::test_another_watermark_gives_other_texts": "keys ngram",
    },
    config.EndpointSection: {
        "test_settings.py::test_which_endpoint_is_asked": "url model version",
        "test_endpoint.py::test_what_is_sent": "key_variable extra",
        "test_endpoint.py::test_texts_come_back_in_order_and_requests_are_bounded": "concurrency",
        "test_endpoint.py::test_a_timeout": "timeout_s",
        "test_endpoint.py::test_waits_grow_and_are_the_same_each_time": "backoff_s max_wait_s retries",
        "test_endpoint.py::test_the_rate_is_kept": "requests_per_minute",
        "test_endpoint.py::test_what_is_spent_ends_the_rest_unasked": "max_requests max_tokens",
        "test_endpoint.py::test_a_server_that_is_gone_is_not_asked_for_every_row": "give_up_after",
    },
    config.ReplySection: {
        "test_settings.py::test_who_gets_which_reply": "max_stars length",
        "test_settings.py::test_which_writer_and_how_many_errors_a_stage_has": "writer max_error_pct",
    },
    config.GenerateSection: {
        "test_settings.py::test_which_texts_are_made_in_bulk": "purposes augmentation_pct keywords sources length",
        "test_settings.py::test_which_writer_and_how_many_errors_a_stage_has": "writer max_error_pct",
    },
}


@cache
def source_of(test: str) -> str:
    """Returns the text of a test with its decorators, or nothing where there is no such test."""
    file, _, name = test.partition("::")
    for path in TESTS.rglob(file):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    return ""


def own_fields(section: type[BaseModel]) -> set[str]:
    """Returns the fields that a section declares itself, without those that hold a section."""
    inner = {key for key, _ in walk_sections()}
    held = {key.rpartition(".")[2] for key in inner if "." in key and not key.endswith(">")}
    return {name for name in section.model_fields if name in section.__annotations__} - held


@pytest.mark.parametrize(
    "section",
    dict.fromkeys([*(model for _, model in walk_sections()), config.TrainingSection]),
    ids=lambda s: s.__name__,
)
def test_every_field_has_a_test_at_a_second_value(section: type[BaseModel]) -> None:
    named = [name for fields in COVERED.get(section, {}).values() for name in fields.split()]
    assert sorted(named) == sorted(own_fields(section)), "COVERED and the section differ"
    for test, fields in COVERED[section].items():
        source = source_of(test)
        assert source, f"{test}: there is no such test"
        for name in fields.split():
            assert re.search(rf"\b{name}\b", source), f"{test} does not name {name}"
