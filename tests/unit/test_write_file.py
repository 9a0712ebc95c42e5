"""Tests `reviewgen write`: one output line for each input line, and the exit code for too many errors."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from reviewgen_spark.cli import main
from reviewgen_spark.config.untrusted_json import MAX_LINE_CHARS, read_lines
from reviewgen_spark.errors import ErrorShareError, ModelNotFoundError
from reviewgen_spark.operations.write_file import write_file
from reviewgen_spark.text.requests.provenance import parse_aigc
from tests.conftest import ConfigFactory

REPLY = {"purpose": "reply", "product_id": "p", "lang_code": "zh", "sources": [{"record_id": "r", "text": "屏幕碎了"}]}
LINES = [
    json.dumps(REPLY),
    "",
    json.dumps({**REPLY, "purpose": "praise"}),
    json.dumps({**REPLY, "purpose": "summary"}),
    json.dumps({"purpose": "augmentation", "product_id": "p", "lang_code": "en", "sentiment": "positive"}),
    "{",
    json.dumps({**REPLY, "stars": 1, "purpose": "draft_for_verified_buyer", "keywords": ["屏幕"], "length": "short"}),
]


def write(make_config: ConfigFactory, *settings: str, writer: str = "template") -> list[dict[str, Any]]:
    out = io.StringIO()
    arguments = ("generation.labeller=none", "generate.max_error_pct=100", "generation.window_rows=2", *settings)
    write_file(make_config(*arguments), writer, LINES, out, lambda line: None)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_each_input_line_gives_one_output_line(make_config: ConfigFactory) -> None:
    rows = write(make_config, "provenance.content_producer=my shop")
    assert [row["line"] for row in rows] == [1, 3, 4, 5, 6, 7]
    errors = {row["line"]: row["error"]["class"] for row in rows if row["error"]}
    assert errors.items() >= {3: "BadRequest", 4: "UnsupportedPurpose", 6: "BadRequest"}.items()
    reply, draft = rows[0], rows[-1]
    assert reply["text"].startswith("【AI生成】") and draft["text"].startswith("【AI生成】屏幕")
    assert not rows[3]["text"].startswith("[AI")  # training data
    assert parse_aigc(reply["aigc"]).ContentProducer == "my shop" and reply["source_record_ids"] == ["r"]
    assert "屏幕碎了" not in json.dumps([row["error"] for row in rows], ensure_ascii=False)


def test_too_many_errors_are_raised_after_the_rows(make_config: ConfigFactory) -> None:
    with pytest.raises(ErrorShareError, match=r"of 6 requests ended in an error, more than 10 %"):
        write(make_config, "generate.max_error_pct=10")


def test_without_a_generator_the_error_names_the_training_pipeline(make_config: ConfigFactory) -> None:
    with pytest.raises(ModelNotFoundError, match="train_generator"):
        write(make_config, writer="torch")


def test_the_command_writes_a_file_and_returns_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").write_text("\n".join(LINES[:1] * 3), encoding="utf-8")
    arguments = ["--set", f"paths.root={tmp_path}", "--set", "generation.labeller=none", "--writer", "template"]
    assert main(["write", "--requests", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *arguments]) == 0
    assert len((tmp_path / "out").read_text(encoding="utf-8").splitlines()) == 3
    assert "3 requests, 3 texts, 0 errors" in capsys.readouterr().err
    (tmp_path / "in").write_text("no", encoding="utf-8")
    assert main(["write", "--requests", str(tmp_path / "in"), *arguments]) == 4
    assert main(["write", "--requests", str(tmp_path / "absent"), *arguments]) == 2


DEEP = "[" * 100_000
SURROGATE = json.dumps({**REPLY, "product_id": "\ud800"})
BAD_LINES = [
    DEEP,
    '{"a":' * 100_000,
    '{"purpose":"reply","product_id":"p","lang_code":"zh","sources":' + "[" * 900 + "]" * 900 + "}",
    '{"purpose":"reply","product_id":"p","lang_code":"zh","seed":' + "9" * 10_000 + "}",
    json.dumps({**REPLY, "seed": float("inf")}),
    json.dumps({**REPLY, "sentiment": ["positive"]}),
    json.dumps({**REPLY, "sources": [{"record_id": ["r"], "text": {"a": 1}}]}),
    json.dumps({**REPLY, "sources": [{"record_id": "r", "text": 1}, {"record_id": "r", "text": None}]}),
    json.dumps({**REPLY, "attributes": {"a": [[["b"]]]}}),
    json.dumps({**REPLY, "keywords": {"a": 1}}),
    json.dumps({**REPLY, "keywords": [["a"], None]}),
    json.dumps({**REPLY, "stars": {}}),
    json.dumps({**REPLY, "purpose": ["reply"], "lang_code": {}}),
    json.dumps({**REPLY, "length": [], "category": [], "record_id": {}}),
    SURROGATE,
    json.dumps({**REPLY, "\ud800": 1}),
    "\x00",
    "null",
    '"' + "x" * (MAX_LINE_CHARS + 1) + '"',
]


def test_a_bad_line_is_the_error_of_its_row(make_config: ConfigFactory) -> None:
    out = io.StringIO()
    config = make_config("generation.labeller=none", "generate.max_error_pct=100")
    good = json.dumps(REPLY)
    lines = [line for bad in BAD_LINES for line in (good, bad)]
    outcome = write_file(config, "template", lines, out, lambda line: None)
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [row["line"] for row in rows] == list(range(1, len(lines) + 1)) and outcome.errors == len(BAD_LINES)
    assert [row["error"] is None for row in rows] == [True, False] * len(BAD_LINES)
    assert all(row["error"]["class"] == "BadRequest" and len(row["error"]["message"]) < 400 for row in rows[1::2])
    out.getvalue().encode()


@pytest.mark.parametrize(
    "bad", [DEEP.encode(), b'{"purpose": "\xff"}', SURROGATE.encode(), b"x" * (MAX_LINE_CHARS * 2)]
)
def test_the_command_writes_every_other_row(bad: bytes, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"\n".join([json.dumps(REPLY).encode(), bad, json.dumps(REPLY).encode()]))
    given = ["--set", f"paths.root={tmp_path}", "--set", "generation.labeller=none", "--writer", "template"]
    arguments = ["write", "--requests", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *given]
    assert main(arguments) == 4  # one of three is more than generate.max_error_pct
    rows = [json.loads(line) for line in (tmp_path / "out").read_text(encoding="utf-8").splitlines()]
    assert [(row["line"], row["error"] is None) for row in rows] == [(1, True), (2, False), (3, True)]


def test_lines_are_read_in_bounded_memory() -> None:
    class Endless(io.StringIO):
        def readline(self, size: int | None = -1, /) -> str:
            assert size is not None and 0 < size <= MAX_LINE_CHARS + 1
            return super().readline(size)

    long = "x" * MAX_LINE_CHARS
    lines = list(read_lines(Endless(f"a\n{long}\n{long}yz\nb\n\n{long}{long}{long}")))
    assert [line.rstrip("\n") for line in lines] == ["a", long, f"{long}y", "b", "", f"{long}x"]
