import itertools
from pathlib import Path

import pytest

from reviewgen_spark.config import DedupSection, load_config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.orchestration.permissions import require_writable


def write_conf(folder: Path, base: str, local: str = "paths: {root: /data}") -> Path:
    (folder / "base.yaml").write_text(base, encoding="utf-8")
    (folder / "quality.yaml").write_text("", encoding="utf-8")
    (folder / "local.yaml").write_text(local, encoding="utf-8")
    return folder


def test_a_later_source_overrides_an_earlier_one(tmp_path: Path) -> None:
    conf = write_conf(tmp_path, "ingest: {source: a, timezone: UTC}", "paths: {root: /data}\ningest: {source: b}")
    loaded = load_config("local", ["ingest.max_rows_per_batch=7"], conf)
    assert (loaded.ingest.source, loaded.ingest.timezone, loaded.ingest.max_rows_per_batch) == ("b", "UTC", 7)


def test_a_quality_rule_is_changed_by_its_name() -> None:
    shipped = load_config("local").quality.rules
    assert shipped["too_short"].severity == "warn"
    changed = load_config("local", ["quality.rules.too_short.severity=error"]).quality.rules
    assert changed["too_short"].severity == "error"
    assert changed["too_short"].when == shipped["too_short"].when
    assert len(changed) == len(shipped) > 10
    with pytest.raises(ConfigError, match=r"quality\.rules\.too_short.severity"):
        load_config("local", ["quality.rules.too_short.severity=fatal"])


def test_all_faults_are_reported_at_once_with_their_file(tmp_path: Path) -> None:
    conf = write_conf(tmp_path, "clean: {max_char: 3}\nsplit: {train_pct: many}")
    with pytest.raises(ConfigError) as error:
        load_config("local", ["nonsense", "label.max_error_pct=101"], conf)
    message = str(error.value)
    assert "/base.yaml: clean.max_char: unknown key; did you mean 'max_chars'?" in message
    assert "/base.yaml: split.train_pct: got 'many'" in message
    assert "--set nonsense: expected section.key=value" in message
    assert "--set label.max_error_pct=101: label.max_error_pct: got 101" in message
    assert len(message.splitlines()) == 4
    assert error.value.exit_code == 2


def test_an_unknown_section_suggests_the_nearest_name(tmp_path: Path) -> None:
    conf = write_conf(tmp_path, "ingst: {source: a}")
    with pytest.raises(ConfigError, match="did you mean 'ingest'"):
        load_config("local", [], conf)


def test_an_unknown_env_lists_the_known_ones(tmp_path: Path) -> None:
    conf = write_conf(tmp_path, "")
    with pytest.raises(ConfigError, match="--env takes one of local"):
        load_config("lokal", ["paths.root=/data"], conf)


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    conf = write_conf(tmp_path, "clean:\n  max_chars: [1,\n")
    with pytest.raises(ConfigError, match=r"base\.yaml: line \d+: not valid YAML"):
        load_config("local", [], conf)


def test_paths_become_absolute_and_uris_are_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load_config("local", ["paths.root=/data/x", "paths.warehouse=s3a://bucket/w"])
    assert loaded.paths.landing == "/data/x/landing"
    assert loaded.paths.warehouse == "s3a://bucket/w"


def test_relative_root_outside_a_checkout_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REVIEWGEN_CONF", raising=False)
    conf = write_conf(tmp_path, "", "paths: {root: var}")
    with pytest.raises(ConfigError, match="absolute path outside a checkout"):
        load_config("local", [], conf)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("split.train_pct=95", "leave something for test"),
        ("ingest.timezone=Mars/Olympus", "expected an IANA name"),
        ("lease.ttl_s=10", "at least twice"),
    ],
)
def test_contradictory_settings_are_refused(override: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        load_config("local", [override])


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("finetune.tasks=[aspect, sentiment]", "or aspect alone"),
        ("finetune.tasks=[sentiment, aspect]", "or aspect alone"),
        ("finetune.tasks=[stars]", "sentiment first"),
        ("finetune.labels=weak", "has gold labels only"),
        ("finetune.mixup_alpha=0.2", "cannot be combined with augmentation"),
        ("finetune.augmentation=[swap]", "cannot be combined with augmentation"),
    ],
)
def test_the_task_aspect_cannot_be_combined(override: str, expected: str) -> None:
    alone = "finetune.tasks=[aspect]"
    assert load_config("local", [alone]).finetune.tasks == ("aspect",)
    with pytest.raises(ConfigError, match=expected):
        load_config("local", [alone, override])


def test_the_result_part_has_no_execution_fields() -> None:
    label = load_config("local", ["label.tokens_per_batch=128"]).label
    assert "tokens_per_batch" not in label.result_part()
    assert "precision" in label.result_part()


@pytest.mark.parametrize(
    "override",
    ["label.precision=bfloat16", "label.embeddings=true", "label.compile=true", "label.device=cuda",
     "label.weights=localcache"],
)  # fmt: skip
def test_onnx_names_the_settings_that_it_cannot_use(override: str) -> None:
    assert load_config("local", ["label.runtime=onnx"]).label.runtime == "onnx"
    with pytest.raises(
        ConfigError, match=f"cannot be combined with {override.partition('=')[0].removeprefix('label.')}"
    ):
        load_config("local", ["label.runtime=onnx", override])


def test_one_key_of_a_section_leaves_the_others_at_their_defaults() -> None:
    plain = load_config("local").pretrain_generator
    changed = load_config("local", ["pretrain_generator.epochs=1"]).pretrain_generator
    assert (plain.objective, plain.max_tokens) == ("clm", 192)
    assert changed == plain.model_copy(update={"epochs": 1})


@pytest.mark.parametrize("root", ["/tmp/it's #1 50%", "/tmp/a: b", "/tmp/[x", "/tmp/a\tb", "/tmp/# {x: 1}"])
def test_an_override_keeps_every_character_of_a_path(root: str) -> None:
    assert load_config("local", [f"paths.root={root}"]).paths.root == root


def test_a_backtick_in_the_warehouse_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"paths.warehouse: /tmp/new `x`/warehouse has a backtick"):
        load_config("local", ["paths.root=/tmp/new `x`"])


def test_an_override_is_text_unless_yaml_says_otherwise() -> None:
    config = load_config("local", ["ingest.source=shop #2"])
    assert config.ingest.source == "shop #2"
    assert load_config("local", ["ingest.source='7'"]).ingest.source == "7"


def test_a_folder_that_cannot_be_written_is_named_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    require_writable(load_config("local", [f"paths.root={tmp_path}/root"]))
    assert {path.name for path in (tmp_path / "root").iterdir()} == {"warehouse", "artifacts"}
    with pytest.raises(ConfigError, match=r"paths.root: .*/file/root cannot be written \(Not a directory\); give this"):
        require_writable(load_config("local", [f"paths.root={tmp_path}/file/root"]))
    with pytest.raises(ConfigError, match=r"paths.warehouse: /proc/no cannot be written"):
        require_writable(load_config("local", [f"paths.root={tmp_path}/root", "paths.warehouse=/proc/no"]))


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in itertools.pairwise("abcdefghi")
)
MERGE_BOMB = "a: &a {x: 1}\n" + "\n".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 10)}]}}" for before, name in itertools.pairwise("abcdefghi")
)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (BOMB, "has more than 100,000 values"),
        (MERGE_BOMB, "has more than 100,000 values"),
        ("clean: &a {b: *a}", "has more than 100,000 values"),
        ("clean: " + "[" * 50_000, "is nested too deeply"),
        ("clean: " + "{a: " * 5_000 + "}" * 5_000, "is nested too deeply"),
        ("clean: {max_chars: 2020-13-45}", "expected YAML in UTF-8, with valid dates"),
        ("clean: {max_chars: " + "9" * 5_000 + "}", "expected YAML in UTF-8"),
        ("clean: \x00", "not valid YAML"),
        ("clean: !!python/object/apply:os.system [id]", "not valid YAML"),
        ("clean: {? [a] : b}", "not valid YAML"),
        ("clean: !!binary hunter2", "not valid YAML"),
    ],
)
def test_a_hostile_file_is_a_fault_of_that_file(content: str, fault: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=fault) as error:
        load_config("local", [], write_conf(tmp_path, content))
    assert f"{tmp_path}/base.yaml" in str(error.value) and len(str(error.value)) < 2_000


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    conf = write_conf(tmp_path, "")
    (conf / "base.yaml").write_bytes("ingest: {source: 评}".encode("gb18030"))
    with pytest.raises(ConfigError, match=r"base\.yaml: cannot be read \(UnicodeDecodeError\)"):
        load_config("local", [], conf)


def test_hostile_overrides_are_faults() -> None:
    for override in ("clean.max_chars=" + "[" * 100_000, "spark.extra=&a [*a]", "clean.max_chars=" + "9" * 5_000):
        with pytest.raises(ConfigError, match=r"--set (clean\.max_chars|spark\.extra)") as error:
            load_config("local", [override])
        assert len(str(error.value)) < 2_000


def test_aliases_and_merge_keys_stay_usable(tmp_path: Path) -> None:
    conf = write_conf(tmp_path, "ingest: &a {source: a}", "paths: {root: /data}\ningest: &b {timezone: UTC}\nclean: {}")
    assert load_config("local", [], conf).ingest.source == "a"
    (conf / "base.yaml").write_text("x: &x {source: a}\ningest: {<<: *x}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="x: unknown key") as error:
        load_config("local", [], conf)
    assert len(error.value.args) == 1


def test_an_added_setting_is_in_the_fingerprint_only_if_it_is_set() -> None:
    assert DedupSection().result_part().keys() == {"kinds", "min_jaccard", "ngram", "bands", "rows"}
    assert DedupSection(window_days=30).result_part()["window_days"] == 30
