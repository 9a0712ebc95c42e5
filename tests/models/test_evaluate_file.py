import gzip
import json
import re
from pathlib import Path

import pytest

from reviewgen_spark.cli import main
from reviewgen_spark.config import CleanSection
from reviewgen_spark.config.untrusted_json import MAX_LINE_CHARS
from reviewgen_spark.errors import DataQualityError, SchemaError
from reviewgen_spark.models.data.labelled_file import read_labelled_file
from reviewgen_spark.models.evaluation.evaluation import Score
from reviewgen_spark.models.registry.registration import register
from reviewgen_spark.models.training.finetuning import FinetuneResult
from reviewgen_spark.text.cleaning.cleaner import Cleaner
from tests.terminal import open_terminal

from .conftest import make_rows

ROWS = make_rows(60, 3000)


def write_csv(path: Path) -> Path:
    lines = ["﻿id,review,label", *(f'{i},"{row["text"]}",{row["label"]}' for i, row in enumerate(ROWS))]
    path.write_text("\n".join([*lines, '98,"两行\n的评价",', '99,"",1']), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def root(trained: FinetuneResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    register(
        trained.folder,
        [Score("model", "test", "all", "f1", 0.9, 0.8, 0.95, 40)],
        "print",
        {},
        {},
        "sentiment",
        f"sqlite:///{root}/mlflow/mlflow.db",
        root / "mlflow" / "artifacts",
        lambda champion: (True, "the first"),
    )
    return root


def run(root: Path, *arguments: str, model: str = "sentiment@champion") -> int:
    return main(["evaluate", "--model", model, *arguments, "--set", f"paths.root={root}"])


@pytest.mark.parametrize("model", ["sentiment@champion", "sentiment@1"])
def test_a_csv_is_scored_and_omitted_rows_are_reported(
    model: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = write_csv(tmp_path / "data.csv"), tmp_path / "new" / "out.json"
    arguments = ("--data", str(data), "--text", "review", "--label", "label", "--json", str(out))
    assert run(root, *arguments, model=model) == 0
    printed = capsys.readouterr().out
    assert "60 of 62 rows, left out: 1 neutral or unlabelled, 1 no text" in printed
    assert not [row for row in ROWS if str(row["text"]) in printed]
    report = json.loads(out.read_text())
    figures = {score["metric"]: score["value"] for score in report["scores"] if score["slice_name"] == "all"}
    assert figures["f1"] > 0.9 and figures["tp"] + figures["fn"] == 30
    assert report["data"]["scored"] == 60 and report["model"]["version"] == 1


def test_a_text_longer_than_max_chars_is_left_out(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--data", str(write_csv(tmp_path / "data.csv")), "--text", "review", "--label", "label")
    cleaner = Cleaner(CleanSection())
    sizes = sorted(len(cleaner.clean(str(row["text"])).text_clean or "") for row in ROWS)
    most = sizes[40]
    long = sum(size > most for size in sizes)
    limit = ("--set", f"label.max_chars={most}")
    assert long > 0 and run(root, *arguments, *limit) == 0
    printed = capsys.readouterr().out
    assert f"{60 - long} of 62 rows" in printed and f"{long} longer than label.max_chars" in printed
    assert run(root, *arguments, *limit, "--raw") == 0
    assert "60 of 62 rows" in capsys.readouterr().out


def test_other_file_formats_and_labels_are_read(tmp_path: Path) -> None:
    lines = [json.dumps({"t": row["text"], "l": ("负面", "正面")[int(str(row["label"]))]}) for row in ROWS]
    (tmp_path / "data.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    as_json = read_labelled_file(tmp_path / "data.jsonl.gz", "t", "l")
    (tmp_path / "data.dat").write_text("\n".join(f'{row["text"]}"$LABEL${row["label"]}' for row in ROWS))
    plain = read_labelled_file(tmp_path / "data.dat", "0", "2", delimiter="$", has_header=False)
    (tmp_path / "data.tsv").write_text(
        "s\tt\tc\n" + "\n".join(f"{i % 5 + 1}\t{row['text']}\tx" for i, row in enumerate(ROWS))
    )
    stars = read_labelled_file(tmp_path / "data.tsv", "t", "s", stars=True, slice_by="c")
    assert as_json.texts == [row["text"] for row in ROWS]
    assert plain.texts == [f'{row["text"]}"' for row in ROWS]
    assert as_json.labels.tolist() == plain.labels.tolist() == [row["label"] for row in ROWS]
    assert stars.left_out == {"neutral or unlabelled": 12} and stars.labels.tolist()[:4] == [0, 0, 1, 1]
    assert set(stars.slices) == {"x"}


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("a,b\n1,2\n", SchemaError, r"has no column text, label; it has a, b\. A file without"),
        ("text,label\nx,maybe\ny,1\n", SchemaError, r"1 of 2 rows have no sentiment label \('maybe'\)"),
        ("text,label\nx,1\ny,1\n", DataQualityError, "2 of 2 rows can be scored, but both labels are needed"),
        ("text,label\n", DataQualityError, "0 of 0 rows"),
        (b"text,label\n\xff\xfe,1\n", SchemaError, r"UnicodeDecodeError\); expected UTF-8"),
    ],
)
def test_an_invalid_file_names_its_fault(
    content: str | bytes, error: type[Exception], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(error, match=message):
        read_labelled_file(path, "text", "label")


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"text":' * 100_000,
        '{"text": "a", "label": ' + "[" * 900 + "]" * 900 + "}",
        '{"text": "\\ud800", "label": 1}',
        '{"text": "a", "label": ' + "9" * 5_000 + "}",
        '{"text": "' + "x" * MAX_LINE_CHARS + '", "label": 1}',
    ],
)
def test_a_hostile_line_is_named_by_its_position(line: str, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "a", "label": 1}\n{"text": "b", "label": 0}\n' + line + "\n")
    with pytest.raises(SchemaError, match=r"data\.jsonl: cannot be read after row 2 \(ValueError\)"):
        read_labelled_file(path, "text", "label")


def test_a_csv_field_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text('text,label\na,1\n"' + "x" * (MAX_LINE_CHARS + 1))
    with pytest.raises(SchemaError, match=r"cannot be read after row 1 \(Error\)"):
        read_labelled_file(path, "text", "label")


def test_texts_in_the_label_column_are_not_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("text,label\n1,这是一条很长很长的秘密评价内容\n")
    with pytest.raises(SchemaError) as caught:
        read_labelled_file(tmp_path / "d.csv", "text", "label")
    assert "秘密" not in str(caught.value)


def test_errors_have_exit_codes(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ("--data", str(write_csv(tmp_path / "data.csv")), "--text", "review", "--label", "label")
    assert run(root, *data, model="sentiment") == 2
    assert run(root, *data, model="sentiment@nobody") == 5
    assert run(root, "--data", str(tmp_path / "no.csv"), "--text", "review", "--label", "label") == 5
    assert "expected NAME@ALIAS or NAME@VERSION" in capsys.readouterr().err


def test_a_terminal_shows_the_progress_in_rows(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_terminal() as screen:
        assert run(root, "--data", str(write_csv(tmp_path / "data.csv")), "--text", "review", "--label", "label") == 0
    assert re.search(r"rows .* 0/60 .* left", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.text()))
    assert "60 of 62 rows" in capsys.readouterr().out, "the figures are the result and go to standard output"
