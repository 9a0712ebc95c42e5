"""Tables that are gone or damaged: a run refuses and says what to do, `repair` and the next run bring the rows back."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from reviewgen_spark.jobs import clean, ingest

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.errors import DamagedTableError, StageError
from reviewgen_spark.operations.erasure.erase import erase
from reviewgen_spark.operations.erasure.request import ErasureRequest
from reviewgen_spark.operations.maintenance import maintain
from reviewgen_spark.operations.repair import repair
from reviewgen_spark.orchestration.backlog import Force
from reviewgen_spark.orchestration.ledger import Ledger
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.warehouse.tables import Warehouse

STAGES = (ingest.STAGE, clean.STAGE)
RUNS, FILES, LEASES = "ops_stage_runs", "ops_source_files", "ops_leases"
COMPARED = ("bronze_reviews", "silver_reviews", "ops_clean_metrics")


def configure(root: Path) -> Config:
    return load_config("local", [f"paths.root={root}", "ingest.max_rows_per_batch=10"])


def run(spark: SparkSession, config: Config, force: Force | None = None) -> list[str]:
    """Run the stages; returns the batches that were computed."""
    lines: list[str] = []
    with open_run(spark, config, force, report=lines.append) as opened:
        opened.pipeline(STAGES)
    return [line.split(" (")[0] for line in lines if line.endswith("started")]


def rows(warehouse: Warehouse) -> dict[str, list[str]]:
    return {name: sorted(map(str, warehouse.read(name).collect())) for name in COMPARED}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Path:
    """A root folder after a run over two batches."""
    root = tmp_path_factory.mktemp("repair")
    folder = root / "landing" / "reviews"
    folder.mkdir(parents=True)
    for day in (1, 2):
        lines = [
            {
                "review_id": f"{day}-{n}",
                "product_id": f"p{n % 3}",
                "text": f"第{n}次购买，质量很好，物流很快，{'满意' * n}",
                "created_at": f"2026-01-0{day}T10:00:00",
                "user_id": f"u{n}",
            }
            for n in range(10)
        ]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"2026-01-0{day}.jsonl").write_text(text, encoding="utf-8")
    assert len(run(spark, configure(root))) == 4
    return root


@pytest.fixture(scope="module")
def before(finished: Path, spark: SparkSession) -> dict[str, list[str]]:
    return rows(Warehouse(spark, configure(finished)))


@pytest.fixture
def config(finished: Path, tmp_path: Path) -> Iterator[Config]:
    root = tmp_path / "root"
    shutil.copytree(finished, root)
    yield configure(root)


@pytest.fixture
def warehouse(spark: SparkSession, config: Config) -> Warehouse:
    return Warehouse(spark, config)


def commits(warehouse: Warehouse, name: str) -> list[Path]:
    return sorted(Path(warehouse.path(name), "_delta_log").glob("*.json"))


def data_file(warehouse: Warehouse, name: str, batch: int = 1) -> Path:
    return sorted(Path(warehouse.path(name)).glob(f"batch_id={batch}/*.parquet"))[0]


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for place in range(4, len(content) - 8, 7):
        content[place] ^= 0xFF
    file.write_bytes(content)


def remove_folder(warehouse: Warehouse) -> str:
    shutil.rmtree(warehouse.path("silver_reviews"))
    return r"its folder .*silver_reviews is gone"


def remove_log(warehouse: Warehouse) -> str:
    shutil.rmtree(Path(warehouse.path("silver_reviews")) / "_delta_log")
    return "_delta_log is gone, but the folder has data files"


def remove_file(warehouse: Warehouse) -> str:
    file = data_file(warehouse, "silver_reviews")
    file.unlink()
    return rf"batch_id=1/{file.name} is missing"


def cut_file(warehouse: Warehouse) -> str:
    file = data_file(warehouse, "silver_reviews", 2)
    file.write_bytes(file.read_bytes()[:100])
    return rf"batch_id=2/{file.name} has 100 bytes, expected"


def empty_last_commit(warehouse: Warehouse) -> str:
    file = commits(warehouse, "silver_reviews")[-1]
    file.write_bytes(b"")
    return rf"{file.name} is empty"


def cut_commit(warehouse: Warehouse) -> str:
    file = commits(warehouse, "silver_reviews")[-2]
    file.write_bytes(file.read_bytes()[:-40])
    return rf"{file.name} is damaged or cut short"


def cut_commit_at_a_line(warehouse: Warehouse) -> str:
    file = commits(warehouse, "silver_reviews")[-1]
    file.with_name(f".{file.name}.crc").unlink()
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    return rf"{file.name} is cut short: its data files have 0 of"


def remove_last_commit(warehouse: Warehouse) -> str:
    commits(warehouse, "silver_reviews")[-1].unlink()
    return r"its newest version is 1, but the log of runs has recorded version 2"


def remove_middle_commit(warehouse: Warehouse) -> str:
    file = commits(warehouse, "silver_reviews")[-2]
    file.unlink()
    return rf"{file.name} is missing"


Harm = Callable[[Warehouse], str]


@pytest.mark.parametrize(
    ("harm", "batches"),
    [
        (remove_folder, (1, 2)),
        (remove_log, (1, 2)),
        (remove_file, (1,)),
        (cut_file, (2,)),
        (empty_last_commit, (2,)),
        (cut_commit, (1, 2)),
        (cut_commit_at_a_line, (2,)),
        (remove_last_commit, (2,)),
        (remove_middle_commit, (1, 2)),
    ],
)
def test_a_damaged_table_is_refused_and_its_lost_batches_are_taken_back(
    spark: SparkSession, config: Config, warehouse: Warehouse, harm: Harm, batches: tuple[int, ...]
) -> None:
    message = harm(warehouse)
    ledger = warehouse.version(RUNS)
    with pytest.raises(DamagedTableError, match=message) as error:
        run(spark, config)
    assert str(error.value).startswith("silver_reviews: ") and "`reviewgen repair silver_reviews`" in str(error.value)
    assert error.value.exit_code == 5
    assert warehouse.version(RUNS) == ledger, "nothing was written"
    repair(spark, config, "silver_reviews", False)
    assert Ledger(warehouse, "test").unfinished("clean") == list(batches)
    assert {row.batch_id for row in warehouse.read("silver_reviews").collect()} >= {1, 2} - set(batches)
    assert repair(spark, config, "silver_reviews", False) == ["silver_reviews: nothing to repair"]


@pytest.mark.parametrize(
    ("harm", "batches"), [(remove_folder, (1, 2)), (remove_file, (1,)), (remove_last_commit, (2,))]
)
def test_the_rows_of_a_lost_table_come_back(
    spark: SparkSession,
    config: Config,
    warehouse: Warehouse,
    before: dict[str, list[str]],
    harm: Harm,
    batches: tuple[int, ...],
) -> None:
    harm(warehouse)
    assert "run `reviewgen run nightly` now" in repair(spark, config, "silver_reviews", False)[-1]
    assert run(spark, config) == [f"[clean] batch {batch}" for batch in batches]
    assert rows(warehouse) == before
    assert run(spark, config) == []


def test_a_damaged_file_of_equal_size_is_named_when_it_is_read(
    spark: SparkSession, config: Config, warehouse: Warehouse, before: dict[str, list[str]]
) -> None:
    file = data_file(warehouse, "bronze_reviews", 2)
    flip(file)
    with pytest.raises(StageError) as error:
        run(spark, config, Force("clean", 2, 2))
    assert f"the file batch_id=2/{file.name} of the table bronze_reviews" in str(error.value)
    assert "`reviewgen repair bronze_reviews`" in str(error.value)
    repair(spark, config, "bronze_reviews", False)
    assert run(spark, config) == ["[ingest] batch 2", "[clean] batch 2"]
    assert rows(warehouse) == before


def test_a_damaged_checkpoint_loses_nothing(
    spark: SparkSession, config: Config, warehouse: Warehouse, before: dict[str, list[str]]
) -> None:
    snapshot = warehouse.log("silver_reviews").snapshot()
    snapshot.deltaLog().checkpoint(snapshot, spark._jvm.scala.Option.apply(None))  # type: ignore[union-attr]
    [checkpoint] = Path(warehouse.path("silver_reviews"), "_delta_log").glob("*.checkpoint*.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:50])
    with pytest.raises(DamagedTableError, match="a checkpoint"):
        run(spark, config)
    repair(spark, config, "silver_reviews", False)
    assert run(spark, config) == []
    assert rows(warehouse) == before


def test_the_log_of_runs_comes_back_from_its_files(spark: SparkSession, config: Config, warehouse: Warehouse) -> None:
    known = sorted(map(str, warehouse.records(RUNS).read()))
    commits(warehouse, RUNS)[-1].write_bytes(b"")
    with pytest.raises(DamagedTableError, match=r"ops_stage_runs: .*is empty \(0 bytes\)"):
        run(spark, config)
    with pytest.raises(DamagedTableError, match="ops_stage_runs"):
        Ledger(warehouse, "status")
    repair(spark, config, RUNS, False)
    assert sorted(map(str, warehouse.records(RUNS).read())) == known
    assert run(spark, config) == []


def test_a_lost_log_of_runs_computes_everything_but_delivered_files_again(
    spark: SparkSession, config: Config, warehouse: Warehouse, before: dict[str, list[str]]
) -> None:
    shutil.rmtree(warehouse.path(RUNS))
    shutil.rmtree(config.paths.landing)
    Path(config.paths.landing, "reviews").mkdir(parents=True)
    with pytest.raises(DamagedTableError, match=r"ops_stage_runs: its folder .* is gone"):
        run(spark, config)
    assert not warehouse.exists(RUNS)
    with pytest.raises(DamagedTableError, match="With --accept-loss every batch after ingest"):
        repair(spark, config, RUNS, False)
    lines = repair(spark, config, RUNS, True)
    assert "2 batches of ingest are complete" in lines[-2]
    assert run(spark, config) == ["[clean] batch 1", "[clean] batch 2"]
    assert rows(warehouse) == before


def test_bronze_is_read_again_from_the_landing_folder(
    spark: SparkSession, config: Config, warehouse: Warehouse, before: dict[str, list[str]]
) -> None:
    shutil.rmtree(warehouse.path("bronze_reviews"))
    with pytest.raises(DamagedTableError, match="bronze_reviews"):
        run(spark, config)
    repair(spark, config, "bronze_reviews", False)
    assert run(spark, config) == ["[ingest] batch 1", "[ingest] batch 2"]
    assert rows(warehouse) == before


def test_bronze_rows_without_a_delivered_file_are_given_up_only_on_demand(
    spark: SparkSession, config: Config, warehouse: Warehouse, before: dict[str, list[str]]
) -> None:
    lost = data_file(warehouse, "bronze_reviews")
    lost.unlink()
    delivered = Path(config.paths.landing, "reviews", "2026-01-01.jsonl")
    delivered.write_text(delivered.read_text(encoding="utf-8").replace("满意", "失望"), encoding="utf-8")
    os.utime(delivered, (1, 1))
    with pytest.raises(DamagedTableError, match=r"Batches 1 cannot be read again.*reviews/2026-01-01\.jsonl"):
        repair(spark, config, "bronze_reviews", False)
    delivered.unlink()
    repair(spark, config, "bronze_reviews", True)
    assert run(spark, config) == []
    after = rows(warehouse)
    assert after["bronze_reviews"] == [row for row in before["bronze_reviews"] if "batch_id=2" in row]
    assert {**after, "bronze_reviews": before["bronze_reviews"]} == before


def test_the_log_of_delivered_files_cannot_be_made_again(
    spark: SparkSession, config: Config, warehouse: Warehouse
) -> None:
    shutil.rmtree(warehouse.path(FILES))
    with pytest.raises(DamagedTableError, match=r"ops_source_files: its folder .* is gone"):
        run(spark, config)
    with pytest.raises(DamagedTableError, match=r"cannot be made again.*from a backup"):
        repair(spark, config, FILES, True)


def test_erased_users_are_not_forgotten(spark: SparkSession, config: Config, warehouse: Warehouse) -> None:
    shutil.rmtree(warehouse.path("ops_erasures"))
    with pytest.raises(DamagedTableError, match="ops_erasures"):
        run(spark, config)
    with pytest.raises(DamagedTableError, match="records of erased users"):
        repair(spark, config, "ops_erasures", False)
    repair(spark, config, "ops_erasures", True)
    assert run(spark, config) == []


def test_a_damaged_lease_is_made_again(spark: SparkSession, config: Config, warehouse: Warehouse) -> None:
    commits(warehouse, LEASES)[-1].write_bytes(b"{")
    with pytest.raises(DamagedTableError, match="`reviewgen repair ops_leases`"):
        run(spark, config)
    repair(spark, config, LEASES, False)
    assert run(spark, config) == []


def test_maintenance_and_erasure_refuse_a_damaged_table(
    spark: SparkSession, config: Config, warehouse: Warehouse
) -> None:
    commits(warehouse, "silver_reviews")[-1].unlink()  # VACUUM would delete the files of this commit
    files = sorted(Path(warehouse.path("silver_reviews")).rglob("*.parquet"))
    with open_run(spark, config, report=lambda line: None) as opened:
        with pytest.raises(DamagedTableError, match="silver_reviews"):
            maintain(opened)
        with pytest.raises(DamagedTableError, match="silver_reviews"):
            erase(opened, ErasureRequest(frozenset({"u1"}), frozenset()))
    assert sorted(Path(warehouse.path("silver_reviews")).rglob("*.parquet")) == files
