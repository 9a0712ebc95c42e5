"""What is printed for people: no secret, no control character, and only one module prints."""

import ast
import logging
import re
from pathlib import Path

import pytest

from reviewgen_spark.cli import main
from reviewgen_spark.config.messages import escape_controls, hide_secrets, print_error, printable
from reviewgen_spark.errors import ConfigError
from tests.unit.source_tree import ROOT, SourceTree

SECRETS = ("secret", "hunter2", "s3cr3tkey")
ADDRESSES = [
    "http://admin:hunter2@host:5000/path",
    "http://admin:hun@ter2hunter2@host:5000",
    "http://admin:hunter2/hunter2@host:5000",
    "http://admin:hunter2?hunter2#hunter2@host",
    "http://admin:hunter2 hunter2@host",
    "http://admin:'hunter2\"hunter2@host",
    "http://hunter2@host",
    "http://:hunter2@host",
    "HTTP://admin:hunter2@host",
    "http:/admin:hunter2@host",
    "admin:hunter2@host:5000",
    "postgresql+psycopg2://me:hunter2@db/mlflow?sslmode=require",
    "mysql://me:hunter2@db,me:hunter2@db2/mlflow",
    "http://host/mlflow?password=hunter2",
    "http://host/mlflow?password=hun@ter2hunter2/hunter2",
    "http://host/mlflow?user=me&password=hunter2&x=1",
    "http://host/mlflow?access_token=hunter2",
    "http://host/v1?api_key=hunter2",
    "http://host/v1?apikey=hunter2;x=1",
    "https://account.blob.core.windows.net/c?sv=2024&sig=hunter2%3D",
    "https://bucket/key?X-Amz-Signature=hunter2",
    "https://bucket/key?X-Amz-Security-Token=hunter2",
    "jdbc:postgresql://db/mlflow?user=me&password=hunter2",
    "s3a://AKIAEXAMPLE:hunter2@bucket/landing",
    "spark.hadoop.fs.s3a.secret.key=hunter2",
    "{'spark.hadoop.fs.s3a.secret.key': 'hunter2'}",
    '{"spark.hadoop.fs.s3a.access.key": "hunter2"}',
    "spark.extra.fs.s3a.secret.key: got ['hunter2']",
    "{'sessionToken': 'hunter2 hunter2'}",
    "Authorization: Bearer hunter2",
    "AccountKey=hunter2;EndpointSuffix=core.windows.net",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("message", ["{}", "the registry at {} does not answer", "got '{}', expected b@c", "({})"])
def test_no_secret_of_an_address_is_printed(address: str, message: str) -> None:
    shown = hide_secrets(message.format(address))
    assert "hunter2" not in shown and "***" in shown
    assert shown.startswith(message.partition("{}")[0])


@pytest.mark.parametrize(
    "text",
    [
        "no version of 'review_sentiment' has the alias 'champion' in sqlite:////data/a@b/mlflow.db; run it again",
        "models:/review_sentiment@champion",
        "http://host:5000 does not answer; write to me@host",
        "http://[::1]:5000/path does not answer",
        "file:///data/a@b/model",
        "review_sentiment@champion, review_sentiment@3",
        "conf/base.yaml: tokens.engine: got 'x'; expected 'jieba'",
        "generation.decoding.max_new_tokens: got -1; input should be at least 1",
        "[tokens] batch 3 (1/2): 40 rows in 1.0 s, 40 rows/s",
        "clean.user_key_file: got 3; input should be a string",
        "12:30:01 [ingest] reviews/2026-01-09.jsonl.gz was refused whole",
        "s3a://bucket/landing, hdfs://name:8020/reviews",
        "generation.endpoint.key_variable: not set",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert hide_secrets(text) == text


def test_the_rest_of_a_message_stays() -> None:
    assert hide_secrets("in sqlite:///x?password=hunter2; train one") == "in sqlite:///x?password=***; train one"


def test_values_of_secret_variables_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "correct horse battery")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "/wJalrXUtnFEMI")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "disabled")
    monkeypatch.setenv("SOME_TOKEN", "short")
    text = "tried 'correct horse battery' and /wJalrXUtnFEMI, disabled, short"
    assert hide_secrets(text) == "tried '***' and ***, disabled, short"


@pytest.mark.parametrize("code", [*range(32), *range(127, 160), 0x00AD, 0x034F, 0x061C, 0x115F, 0x180E, 0x200B, 0x200C])
def test_control_characters_are_escaped(code: int) -> None:
    shown = printable(f"a{chr(code)}b")
    assert shown.isascii() and len(shown.splitlines()) == 1 and shown.startswith("a\\") and shown.endswith("b")


@pytest.mark.parametrize(
    "code", [0x200D, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164, 0xFEFF]
)
def test_marks_that_are_not_shown_are_escaped(code: int) -> None:
    assert printable(f"a{chr(code)}b") == f"a\\u{code:04x}b"


def test_a_surrogate_of_a_file_name_is_escaped() -> None:
    assert printable(b"a\xff\x1b[2J.csv".decode("utf-8", "surrogateescape")) == "a\\udcff\\x1b[2J.csv"
    assert printable("tag \U000e0041") == "tag \\U000e0041"


def test_readable_text_stays() -> None:
    for text in ("很好，全角 and half", "e\u0301", "👨\u200d👩\u200d👧 ❤️\u200d🔥", "a\xa0b", "naïve"):
        assert escape_controls(text) == text


def test_each_argument_of_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(ConfigError("a\nerror: forged", "b\x1b[2J"))
    assert capsys.readouterr().err.splitlines() == ["error: a\\nerror: forged", "b\\x1b[2J"]


DOWN = "http://admin:hun/hunter2@127.0.0.1:9"


@pytest.mark.parametrize(
    ("uri", "command"),
    [
        (DOWN, ["models", "list"]),
        ("http://admin:hunter2@127.0.0.1:9", ["models", "compare", "candidate"]),
        ("http://127.0.0.1:9/?password=hunter2", ["models", "page", "m@champion", "--out", "{root}/page.html"]),
        ("postgresql://me:hunter2@127.0.0.1:9/mlflow", ["models", "list"]),
        (DOWN, ["evaluate", "--model", "m@3", "--data", "{root}/data.jsonl", "--text", "text", "--label", "label"]),
        (DOWN, ["write", "--requests", "{root}/requests", "--writer", "torch"]),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_no_command_prints_the_password_of_the_registry(
    uri: str, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("REVIEWGEN_TRACEBACK", "1")
    (tmp_path / "requests").write_text("{}\n")
    (tmp_path / "data.jsonl").write_text('{"text": "a", "label": 1}\n{"text": "b", "label": 0}\n')
    given = [part.format(root=tmp_path) for part in command]
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    assert main([*given, "--set", f"paths.root={tmp_path}", "--set", f"paths.mlflow_uri={uri}"]) == 5
    out, err = capfd.readouterr()
    assert "error: " in err and "hunter2" not in out + err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--set", "paths.mlflow_ur=http://admin:hunter2@host"],
        ["--set", "mlflow_uri=http://admin:hunter2@host"],
        ["--set", "paths.mlflow_uri=[http://admin:hunter2@host]"],
        ["--set", "paths.root=http://admin:hunter2@host"],
        ["--set", 'spark.extra={"spark.hadoop.fs.s3a.secret.key": [hunter2]}'],
        ["--set", "generation.endpoint.extra=hunter2", "--set", "generation.endpoint.password=hunter2"],
        ["--st", "paths.mlflow_uri=http://admin:hunter2@host"],
    ],
)
def test_a_wrong_setting_is_named_without_its_secret(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(["models", "list", *arguments])
    except SystemExit as ended:
        code = int(str(ended.code))
    err = capsys.readouterr().err
    assert code == 2 and ("hunter2" not in err.replace("extra=hunter2", "").replace("got 'hunter2'", ""))


def test_control_characters_of_arguments_are_escaped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    name = "a\x1b[2J\u202e\n12:00:00 [label] forged"
    assert main(["write", "--requests", f"{tmp_path}/{name}", "--set", f"paths.root={tmp_path}"]) == 2
    with pytest.raises(SystemExit):
        main(["sql", "SELECT 1", f"--{name}"])
    err = capsys.readouterr().err
    assert "\x1b" not in err and "\u202e" not in err and "\n12:00:00" not in err
    assert err.count("a\\x1b[2J\\u202e\\n12:00:00 [label] forged") == 2


def test_only_one_module_prints_messages() -> None:
    # The command itself prints a fixed line, if it is interrupted before anything is imported.
    allowed = {"reviewgen_spark.config.messages", "reviewgen_spark.serving.sql.query_result", "reviewgen_spark.cli"}
    printing = set()
    for name, module in SourceTree().modules.items():
        for node in ast.walk(ast.parse(module.path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called == "print" or re.fullmatch(r"sys\.std(out|err)\.write|traceback\.print_\w+", called):
                    printing.add(name)
    assert printing == allowed, f"these print for themselves, below {ROOT}"
