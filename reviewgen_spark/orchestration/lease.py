"""Allows one writer at a time, by a lease row in a Delta table. Delta's conflict detection decides between two runs.

Without the lease, two runs that start together both use batch max+1 and replace each other's rows.
"""

import os
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyspark.sql import Row

from reviewgen_spark.config import Config
from reviewgen_spark.errors import LeaseError, ReviewgenError
from reviewgen_spark.warehouse.tables import Warehouse

_NAME = "warehouse"
_TABLE = "ops_leases"
_TRIES = 3


class Lease:
    """Holds the lease from `acquire` to `release`. A thread renews it, and `check` is called before each commit."""

    def __init__(self, warehouse: Warehouse, config: Config, run_id: str) -> None:
        self._warehouse = warehouse
        self._section = config.lease
        self.run_id = run_id
        self._expires_at = datetime.min.replace(tzinfo=UTC)
        self._version = -1
        self._lock = threading.Lock()  # guards _expires_at and _version
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self) -> None:
        """Takes the lease, or takes it over from a run that died.

        A run is dead when its lease expired, or when it ran on this machine and its process has ended.

        Raises:
            LeaseError: When another run holds it; the message names the owner.
        """
        held = self._ensure_row()
        now = datetime.now(UTC)
        if held.owner and held.expires_at.replace(tzinfo=UTC) > now and not _is_dead(held):
            raise LeaseError(_describe(held))
        try:
            is_ours = self._update(held.owner, self.run_id)
        except Exception as error:
            # Delta found a conflict: another run updated the row first.
            raise LeaseError(f"another run took the warehouse at the same moment ({_class(error)})") from None
        if not is_ours:
            raise LeaseError(_describe(self._row()))
        self._thread = threading.Thread(target=self._renew, name="lease-heartbeat", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Checks that this run still holds the lease: it has not expired, and no other run took it.

        Raises:
            LeaseError: When this run was stopped for longer than `lease.ttl_s` or another run took over.
        """
        with self._lock:
            expires_at, version = self._expires_at, self._version
        if datetime.now(UTC) >= expires_at:
            raise LeaseError("this run was stopped for longer than lease.ttl_s and may no longer write; start again")
        if self._warehouse.version(_TABLE) != version:  # own heartbeat not yet recorded here, or another run
            held = self._row()
            if held.owner != self.run_id:
                raise LeaseError(f"this run lost the warehouse: {_describe(held)}")

    def release(self) -> None:
        """Releases the lease, if this run still holds it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self._update(self.run_id, "")

    def _renew(self) -> None:
        while not self._stop.wait(self._section.heartbeat_s):
            try:
                if datetime.now(UTC) < self._expires_at:
                    self._update(self.run_id, self.run_id)
            except Exception:
                # A missed heartbeat is not a failure yet. `check` decides by the remaining time.
                continue

    def _update(self, holder: str, owner: str) -> bool:
        """Passes the lease from `holder` to `owner`; returns whether `holder` had it."""
        now = datetime.now(UTC)
        expires_at = now + timedelta(seconds=self._section.ttl_s) if owner else now
        values: dict[str, object] = {
            "owner": owner,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "pid_started": _process_start(os.getpid()),
            "heartbeat_at": now,
            "expires_at": expires_at,
        }
        records = self._warehouse.records(_TABLE)
        is_ours = bool(records.update(values, {"name": _NAME, "owner": holder}))
        if is_ours:  # else `check` must still see that another run wrote the table
            version = records.version()
            with self._lock:  # not held during the commit, which takes seconds on a busy machine
                self._expires_at, self._version = expires_at, version
        return is_ours

    def _ensure_row(self) -> Row:
        """Returns the table's only row, and creates it if missing. If two runs create it at once, Delta refuses one."""
        for tries_left in reversed(range(_TRIES)):
            try:
                self._warehouse.converge([_TABLE])
                if not (rows := self._rows()):
                    self._create_row()
                    rows = self._rows()
                return rows[0]
            except ReviewgenError:
                raise
            except Exception:
                if not tries_left:
                    raise
                time.sleep(1)
        raise AssertionError("the last try returns or raises")

    def _create_row(self) -> None:
        free = self._warehouse.rows(_TABLE, [{"name": _NAME, "owner": "", "expires_at": datetime.now(UTC)}])
        self._warehouse.insert_missing(_TABLE, free, "name")

    def _row(self) -> Row:
        return self._rows()[0]

    def _rows(self) -> list[Row]:
        return [row for row in self._warehouse.records(_TABLE).read() if row.name == _NAME]


def describe_holder(warehouse: Warehouse) -> str | None:
    """Returns a text about the run that holds the lease; None if it is free or that run is dead. Writes nothing."""
    if not warehouse.exists(_TABLE):
        return None
    for held in warehouse.records(_TABLE).read():
        if held.owner and held.expires_at.replace(tzinfo=UTC) > datetime.now(UTC) and not _is_dead(held):
            return _describe(held)
    return None


def _describe(held: Row) -> str:
    return (
        f"run {held.owner} holds the warehouse (process {held.pid} on {held.host}, last heartbeat "
        f"{held.heartbeat_at:%Y-%m-%d %H:%M:%S} UTC); wait for it to end, or until {held.expires_at:%H:%M:%S} UTC "
        "if it died"
    )


def _is_dead(held: Row) -> bool:
    return bool(held.host == socket.gethostname() and _process_start(held.pid) != held.pid_started)


def _process_start(pid: int) -> str | None:
    """Returns the start of a process in clock ticks since boot, because pids are used again; None if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the process name before it may contain spaces
    return None if fields[0] == "Z" else fields[19]


def _class(error: Exception) -> str:
    return type(error).__name__
