"""Checks that every setting has a test in which another value changes the result.

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
        "test_config.py::test_paths_become_absolute_and_uris_are_unchanged": "root landing warehouse",
        "test_settings.py::test_doctor_checks_the_disk_of_exports": "exports",
        "test_doctor.py::test_without_java_the_other_checks_run": "jars",
        "test_doctor.py::test_an_unreachable_registry_fails": "mlflow_uri",
        "test_settings.py::test_artifacts_are_written_to_the_configured_folder": "artifacts",
        "test_file_modes.py::test_who_may_read_the_files_of_a_night": "permissions",
    },
    config.SparkSection: {
        "test_settings.py::test_a_session_gets_its_settings": "shuffle_partitions arrow_max_rows arrow_max_bytes extra",
        "test_settings.py::test_a_local_jvm_gets_its_settings": "master driver_memory log_level",
    },
    config.LeaseSection: {
        "test_settings.py::test_a_lease_has_its_duration_and_is_renewed": "heartbeat_s ttl_s",
    },
    config.TablesSection: {
        "test_settings.py::test_configured_tables_are_exported": "parquet_exports",
        "test_settings.py::test_retention_days_limit_the_history": "retention_days",
    },
    config.FreshnessSection: {
        "test_freshness.py::test_input_older_than_the_limit_is_a_fault": "max_age_hours",
        "test_freshness.py::test_fewer_records_than_the_minimum_are_a_fault": "min_records",
        "test_freshness.py::test_a_small_delivery_is_compared_with_the_median_not_the_mean": "min_share_of_usual_pct",
    },
    config.IngestSection: {
        "test_settings.py::test_source_and_time_zone_change_a_record": "source timezone",
        "test_settings.py::test_deliveries_are_read_from_the_configured_folders": "reviews gold_labels",
        "test_settings.py::test_batch_limits_change_the_batches": "max_rows_per_batch max_quarantine_pct",
        "test_source_files.py::test_the_configured_encoding_counts": "encoding",
        "test_source_files.py::test_the_configured_separator_counts": "csv_separator",
        "test_source_files.py::test_a_line_that_is_too_long_costs_its_record_alone": "max_record_bytes",
        "test_source_files.py::test_the_limits_of_packed_files_are_settings": "max_unpacked_bytes max_unpacked_ratio",
    },
    config.CleanSection: {
        "test_cleaner.py::test_a_long_text_is_truncated_first": "max_chars",
        "test_cleaner.py::test_each_rule_can_be_configured": "repair_mojibake strip_html mark_urls simplify_chinese "
        "max_repeats emoji mask_pii",
        "test_settings.py::test_the_user_key_file_is_configurable": "user_key_file",
    },
    config.QualitySection: {
        "test_config.py::test_a_quality_rule_is_changed_by_its_name": "rules",
    },
    config.QualityRule: {
        "test_quality.py::test_disabled_rules_and_no_rules_find_nothing": "severity",
        "test_quality.py::test_an_invalid_condition_names_its_rule": "when reason",
    },
    config.DedupSection: {
        "test_settings.py::test_dedup_settings_decide_what_a_near_copy_is": "kinds min_jaccard ngram bands rows",
        "test_dedup_history.py::test_a_window_bounds_the_search_for_near_copies_alone": "window_days",
    },
    config.SplitSection: {
        "test_split.py::test_the_split_does_not_depend_on_order_partitions_or_new_rows": "seed",
        "test_split.py::test_benchmark_corpora_are_split_like_those_of_the_pipeline": "train_pct validation_pct",
    },
    config.TokensSection: {
        "test_tokeniser.py::test_words_of_the_user_dictionary_are_tokens": "user_dictionary",
        "test_tokeniser.py::test_both_engines_find_the_same_words": "engine",
        "test_tokeniser.py::test_content_words_have_the_configured_parts_of_speech": "parts_of_speech",
        "test_settings.py::test_stop_words_are_not_content_words": "stop_words",
    },
    config.WeakLabelsSection: {
        "test_labelling_functions.py::test_the_lexicon_abstains_below_its_minimum_score": "voters",
        "test_settings.py::test_a_voter_abstains_below_its_minimum_score": "lexicon_min_score vader_min_score "
        "textblob_min_score snownlp_min_score",
        "test_settings.py::test_a_label_below_the_minimum_probability_is_left_out": "min_probability",
    },
    config.KeywordsSection: {
        "test_keywords.py::test_counts_equal_plain_python_at_every_batch_size": "top min_reviews max_reviews",
        "test_keywords.py::test_only_the_most_frequent_words_are_ranked": "methods max_words",
        "test_settings.py::test_the_window_changes_the_ranked_words": "window",
    },
    config.ModelsSection: {
        "test_settings.py::test_base_and_name_select_the_model": "base name",
    },
    config.TrainingSection: {
        "test_training_settings.py::test_another_value_gives_other_weights": "max_tokens epochs batch_size "
        "learning_rate weight_decay warmup_pct dropout max_grad_norm embedding_rate seed precision accumulate",
        "test_training_settings.py::test_a_scratch_base_has_the_configured_vocabulary_size": "vocabulary_size",
        "test_finetuning.py::test_early_stopping_keeps_the_best_epoch": "patience",
        "test_training_settings.py::test_training_uses_threads_and_compile": "threads compile",
        "test_training_settings.py::test_each_training_refuses_a_missing_device": "device",
    },
    config.PretrainSection: {
        "test_pretraining.py::test_training_lowers_the_loss_and_writes_its_curve": "objective",
        "test_training_settings.py::test_mask_pct_changes_the_share_of_masked_words": "mask_pct",
        "test_training_settings.py::test_pretraining_starts_from_the_configured_base": "base",
    },
    config.FinetuneSection: {
        "test_training_settings.py::test_another_value_gives_other_weights": "augmentation augmentation_rate "
        "augmentation_share mixup_alpha optimizer schedule label_smoothing rank",
        "test_settings.py::test_labels_and_tasks_change_the_corpus": "labels tasks",
        "test_finetuning.py::test_one_pass_predicts_many_tasks": "two_labels",
        "test_finetuning.py::test_rows_per_label_and_held_out_categories_reduce_the_rows": "held_out_categories "
        "rows_per_label",
        "test_adapters.py::test_training_by_each_method_writes_a_plain_folder": "method",
        "test_back_translation.py::test_training_uses_the_variants": "back_translation",
        "test_finetuning.py::test_other_optimizers_schedules_and_losses_reach_high_f1": "class_weights",
        "test_distributed.py::test_two_processes_train_the_same_model_as_one": "processes",
    },
    config.PretrainGeneratorSection: {
        "test_settings.py::test_a_generator_is_trained_on_next_tokens_of_longer_texts": "objective max_tokens",
    },
    config.FinetuneGeneratorSection: {
        "test_generator_stages.py::test_pretraining_is_skipped_for_another_base": "base",
        "test_generator_stages.py::test_the_stages_lead_from_corpora_to_scores": "examples",
        "test_training_settings.py::test_settings_limit_the_examples_of_a_generator": "max_rows max_keywords "
        "codes_dropped",
        "test_generator.py::test_each_kind_of_checkpoint_is_trained_with_lora": "method",
        "test_training_settings.py::test_another_value_gives_another_generator": "max_tokens text_tokens epochs "
        "learning_rate embedding_rate rank",
        "test_finetuning.py::test_early_stopping_keeps_the_best_epoch": "patience",
    },
    config.EvaluateGeneratorSection: {
        "test_inference_settings.py::test_texts_and_seed_select_the_scored_texts": "texts seed",
    },
    config.DistilSection: {
        "test_training_settings.py::test_another_value_gives_another_student": "base temperature soft_share epochs "
        "learning_rate dropout",
        "test_training_settings.py::test_max_unlabelled_limits_the_reviews_of_a_student": "max_unlabelled",
        "test_nightly.py::test_a_compressed_model_labels_under_its_own_alias": "teacher",
    },
    config.CompressSection: {
        "test_compression.py::test_a_student_is_pruned_retrained_and_measured": "methods heads_share",
        "test_compression.py::test_recovery_restores_the_agreement_after_pruning": "feed_forward_share recovery_epochs",
        "test_training_settings.py::test_the_configured_share_of_magnitudes_is_set_to_zero": "magnitudes_share",
        "test_nightly.py::test_a_compressed_model_labels_under_its_own_alias": "onnx cascade_disagreement",
        "test_compression.py::test_a_cascade_answers_confident_rows_and_passes_the_rest_on": "cascade",
        "test_training_settings.py::test_variants_are_timed_on_the_configured_rows": "timed_rows",
    },
    config.RegisterCompressedSection: {
        "test_settings.py::test_a_compressed_model_may_lose_the_configured_f1": "max_f1_loss",
        "test_registry.py::test_a_compressed_model_has_its_own_alias_and_names_its_teacher": "alias",
    },
    config.TuneSection: {
        "test_training_settings.py::test_a_study_searches_the_configured_ranges": "trials unpruned_trials "
        "learning_rate batch_size epochs dropout weight_decay warmup_pct label_smoothing seed",
    },
    config.EvaluateSection: {
        "test_training_settings.py::test_robustness_rows_and_seed_select_the_perturbed_rows": "robustness_rows seed "
        "bootstrap_samples",
    },
    config.RegisterSection: {
        "test_promotion_gate.py::test_an_equal_or_worse_model_fails_and_so_does_a_gain_below_the_margin": "min_f1_gain",
        "test_promotion_gate.py::test_a_gain_within_chance_passes_only_as_a_point_estimate": "evidence",
        "test_promotion_gate.py::test_a_large_drop_in_one_slice_fails": "max_slice_drop min_slice_rows",
        "test_promotion_gate.py::test_size_and_latency_limits_hold_for_the_first_model": "max_size_mb max_latency_ms",
    },
    config.LabelSection: {
        "test_local_copies.py::test_the_last_pinned_model_is_used_with_a_warning": "alias without_registry",
        "test_inference_settings.py::test_max_chars_and_precision_change_labels": "max_chars precision",
        "test_label.py::test_onnx_gives_the_labels_of_torch": "runtime",
        "test_label.py::test_n_grams_label_confident_rows_and_the_model_the_rest": "cascade",
        "test_inference_settings.py::test_embeddings_come_from_the_labelling_pass": "embeddings",
        "test_nightly.py::test_too_many_errors_publish_nothing": "max_error_pct",
        "test_shipping.py::test_localcache_labels_all_rows": "weights",
        "test_shipping.py::test_a_node_fetches_a_model_once": "broadcast_max_mb",
        "test_inference_settings.py::test_the_labelling_model_is_compiled_if_configured": "compile",
        "test_inference_settings.py::test_the_token_limit_splits_label_batches": "tokens_per_batch",
        "test_label.py::test_one_pass_fills_three_tables": "window_rows",
        "test_label.py::test_one_and_seven_partitions_agree": "partitions",
        "test_inference_settings.py::test_labelling_uses_the_configured_device": "device",
        "test_inference_settings.py::test_a_labelling_worker_uses_the_configured_threads": "threads",
    },
    config.SatisfactionSection: {
        "test_satisfaction.py::test_satisfaction_is_shrunk_to_the_shop_mean": "min_reviews",
        "test_settings.py::test_prior_weight_pulls_scores_to_the_mean_of_the_shop": "prior_weight",
    },
    config.ChecksSection: {
        "test_settings.py::test_limits_of_checks_change_the_verdict": "length_tolerance_pct min_language_score "
        "max_repetition max_toxicity max_contradiction max_copied_zh max_copied_en",
    },
    config.ProvenanceSection: {
        "test_write_file.py::test_each_input_line_gives_one_output_line": "content_producer",
        "test_settings.py::test_an_export_names_its_propagator": "content_propagator",
    },
    config.SummariseSection: {
        "test_summaries.py::test_summaries_do_not_depend_on_partitions": "max_reviews",
        "test_settings.py::test_summaries_respect_their_bounds": "max_words max_counts min_mentions",
        "test_settings.py::test_keywords_are_aspects_of_a_summary": "keywords",
    },
    config.ReportSection: {
        "test_report.py::test_empty_tables_give_an_empty_report": "timezone",
        "test_settings.py::test_the_lists_of_the_report_have_the_configured_lengths": "top_words top_products",
        "test_report.py::test_synthetic_columns_are_named_where_they_are_shown": "synthetic_columns",
    },
    config.GenerationSection: {
        "test_settings.py::test_name_and_alias_select_the_generator": "name alias",
        "test_inference_settings.py::test_a_generator_runs_with_its_settings_on_driver_and_worker": "precision device "
        "threads",
        "test_generate.py::test_the_champion_checks_the_sentiment_of_texts": "max_attempts labeller",
        "test_settings.py::test_reply_settings_select_reviews_and_length": "seed",
        "test_inference_settings.py::test_a_generator_is_shipped_with_its_settings": "weights broadcast_max_mb",
        "test_inference_settings.py::test_the_token_limit_reaches_the_decoder": "tokens_per_batch",
        "test_generate.py::test_texts_do_not_depend_on_partitions": "window_rows partitions",
    },
    config.DecodingSection: {
        "test_inference_settings.py::test_other_decoding_settings_give_other_texts": "temperature top_k top_p "
        "repetition_penalty no_repeat_ngram min_new_tokens max_new_tokens",
    },
    config.WatermarkSection: {
        "test_inference_settings.py::test_another_watermark_gives_other_texts": "keys ngram",
    },
    config.EndpointSection: {
        "test_settings.py::test_endpoint_settings_select_the_endpoint": "url model version",
        "test_endpoint.py::test_a_request_has_the_model_the_seed_and_the_key": "key_variable extra",
        "test_endpoint.py::test_texts_come_back_in_order_and_requests_are_bounded": "concurrency",
        "test_endpoint.py::test_a_timeout_is_retried_and_reported": "timeout_s",
        "test_endpoint.py::test_waits_grow_and_are_the_same_each_time": "backoff_s max_wait_s retries",
        "test_endpoint.py::test_the_request_rate_is_limited": "requests_per_minute",
        "test_endpoint.py::test_rows_above_the_cost_limit_are_not_sent": "max_requests max_tokens",
        "test_endpoint.py::test_an_unreachable_server_is_not_tried_for_every_row": "give_up_after",
    },
    config.ReplySection: {
        "test_settings.py::test_reply_settings_select_reviews_and_length": "max_stars length",
        "test_settings.py::test_a_stage_has_its_writer_and_error_limit": "writer max_error_pct",
    },
    config.GenerateSection: {
        "test_settings.py::test_generate_settings_select_the_texts": "purposes augmentation_pct keywords "
        "sources length",
        "test_settings.py::test_a_stage_has_its_writer_and_error_limit": "writer max_error_pct",
    },
}


@cache
def source_of(test: str) -> str:
    """Returns the text of a test with its decorators, or an empty text if there is no such test."""
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
    sections = {key.rpartition(".")[2] for key in inner if "." in key and not key.endswith(">")}
    return {name for name in section.model_fields if name in section.__annotations__} - sections


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
