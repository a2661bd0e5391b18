import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from click.testing import CliRunner

from app.cli import main
from app.database import Database
from app.normalise.record import LogRecord, ReportedException, Severity
from app.query.forget import ForgetReport, ForgetRequest, Forgetter
from app.settings import Settings
from app.store.spool import Spool
from tests.incidents.seeded import add_incident
from tests.store.test_arrivals import a_record, write

pytestmark = pytest.mark.anyio
PERSON = "ada@example.com"


async def store(database: Database, *records: LogRecord) -> None:
    async with database.driver() as driver:
        await write(driver, *records)


async def forget(
    database: Database, q: str, spool: Spool | None = None, **fields: Any
) -> ForgetReport:
    given = {"confirm": True, "done_by": "privacy desk", **fields}
    return await Forgetter(database, spool).forget(ForgetRequest(q=q, **given))


async def everything(connection: asyncpg.Connection) -> str:
    """All that the database holds, as text."""
    tables = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    parts = [
        str(await connection.fetchval(f'SELECT json_agg(t) FROM "{row["relname"]}" AS t'))  # noqa: S608
        for row in tables
    ]
    return "\n".join(parts)


def of_the_person(**fields: Any) -> LogRecord:
    return a_record(f"mail to {PERSON} failed", **fields)


async def test_it_waits_for_whoever_counts_however_long_that_takes(
    database_url: str, settings: Settings, connection: asyncpg.Connection
) -> None:
    brief = Database(database_url, msgspec.structs.replace(settings, statement_timeout_seconds=0.5))
    await store(brief, of_the_person())
    async with connection.transaction():
        await connection.execute("LOCK TABLE counted_until IN ACCESS EXCLUSIVE MODE")
        forgetting = asyncio.create_task(forget(brief, f'"{PERSON}"'))
        await asyncio.sleep(2)

    report = await forgetting
    await brief.close()

    assert report.counts.records == 1


async def test_nothing_that_it_reaches_holds_the_text_afterwards(
    database: Database, connection: asyncpg.Connection
) -> None:
    failed = of_the_person(
        level=Severity.ERROR, correlation_id="c-1",
        exception=ReportedException(type="SmtpError", message=f"no mailbox {PERSON}"),
    )  # fmt: skip
    await store(database, failed, of_the_person(), a_record("of somebody else"))
    signature = await connection.fetchval("SELECT signature_id FROM signatures")
    home = await add_incident(connection, signature)
    kept = "SELECT jsonb_agg(to_jsonb(r)) FROM log_records AS r"
    await connection.execute(
        f"INSERT INTO incident_evidence (correlation_id, incident_id, records)"  # noqa: S608
        f" VALUES ('c-1', $1, ({kept}))",
        home,
    )

    report = await forget(database, f'"{PERSON}"', keep_query=False)

    assert msgspec.to_builtins(report.counts) == {
        "records": 2, "spooled": 0, "set_aside": 0, "evidence": 2, "samples": 1,
    }  # fmt: skip
    assert PERSON not in await everything(connection)
    assert await connection.fetchval("SELECT message FROM log_records") == "of somebody else"
    left = await connection.fetchval("SELECT records -> 0 ->> 'message' FROM incident_evidence")
    assert left == "of somebody else"
    assert await connection.fetchval("SELECT records FROM signatures") == 1


async def test_records_of_a_chain_take_the_sample_that_shows_them_along(
    database: Database, connection: asyncpg.Connection
) -> None:
    await store(database, of_the_person(level=Severity.ERROR, correlation_id="c-9"))

    report = await forget(database, "correlation:c-9")

    assert report.counts.samples == 1
    assert PERSON not in await connection.fetchval("SELECT sample::text FROM signatures")


async def test_a_dry_run_counts_and_deletes_nothing(
    database: Database, connection: asyncpg.Connection, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 24)
    spool.append([of_the_person(), a_record()])
    await store(database, of_the_person(level=Severity.ERROR))

    report = await forget(database, PERSON, spool, dry_run=True, confirm=False)

    assert (report.counts.records, report.counts.spooled, report.counts.samples) == (1, 1, 1)
    assert report.forgetting_id is None
    assert await connection.fetchval("SELECT count(*) FROM log_records") == 1
    assert await connection.fetchval("SELECT count(*) FROM forgettings") == 0
    assert spool.state().records == 2
    spool.close()


async def test_the_spool_keeps_its_order_and_loses_what_matches_for_good(
    database: Database, tmp_path: Path
) -> None:
    directory = tmp_path / "spool"
    spool = Spool(directory, max_bytes=1 << 24)
    for batch in (["a", PERSON, "b"], [PERSON], ["c"]):
        spool.append([a_record(message) for message in batch])
    spool.append([a_record("d")])
    last = spool.oldest(least=100)
    assert last
    refused = [of_the_person(), a_record("refused of others")]
    spool.remove(last.ids[-1:], unstorable=refused)

    report = await forget(database, PERSON, spool)

    assert (report.counts.spooled, report.counts.set_aside) == (2, 1)
    left = spool.oldest(least=100)
    assert left
    assert [one.message for one in left.records] == ["a", "b", "c"]
    assert (spool.state().records, spool.state().unstorable) == (3, 1)
    spool.close()
    assert not any(PERSON.encode() in file.read_bytes() for file in directory.iterdir())


async def test_a_spool_that_is_being_drained_is_named_as_not_reached(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.query.forget.DRAIN_SECONDS", 0.1)
    spool = Spool(tmp_path / "spool", max_bytes=1 << 24)
    spool.append([of_the_person()])
    with Spool(tmp_path / "spool", max_bytes=1 << 24).draining():
        report = await forget(database, PERSON, spool)

    assert any("being drained" in line for line in report.unreached)
    spool.close()


async def test_what_is_forgotten_is_audited_with_the_search_or_its_hash(
    client: httpx.AsyncClient, database: Database
) -> None:
    await store(database, of_the_person(), of_the_person())
    for keep in (True, False):
        body = {"q": PERSON, "done_by": "ops", "confirm": True, "keep_query": keep}
        answer = await client.post("/api/forget", json=body)
        assert answer.status_code == 200, answer.text

    second, first = (await client.get("/api/forget")).json()

    assert (first["query"], second["query"]) == (PERSON, None)
    assert first["query_sha256"] == second["query_sha256"]
    assert (first["done_by"], first["counts"]["records"]) == ("ops", 2)
    assert (second["counts"]["records"], second["finished_at"] is not None) == (0, True)
    assert any("Backups" in line for line in first["unreached"])


@pytest.mark.parametrize(
    "body",
    [
        {"q": "", "done_by": "ops", "confirm": True},
        {"q": "  ", "done_by": "ops", "confirm": True},
        {"q": PERSON, "done_by": "ops"},
        {"q": PERSON, "confirm": True},
        {"q": "a OR", "done_by": "ops", "confirm": True},
        {"q": PERSON, "done_by": "", "confirm": True},
    ],
)  # fmt: skip
async def test_without_search_name_and_confirmation_nothing_is_deleted(
    client: httpx.AsyncClient, connection: asyncpg.Connection, body: dict[str, Any]
) -> None:
    await client.post("/ingest/logs", json={"service": "a", "message": f"to {PERSON}"})

    answer = await client.post("/api/forget", json=body)

    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert await connection.fetchval("SELECT count(*) FROM log_records") == 1
    assert await connection.fetchval("SELECT count(*) FROM forgettings") == 0


async def test_many_records_go_in_bounded_transactions(
    database: Database, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.query.forget_queries.BATCH", 10)
    await store(database, *(of_the_person() for _ in range(35)), a_record("other"))
    told: list[int] = []

    await Forgetter(database, None).forget(
        ForgetRequest(q=PERSON, done_by="ops", confirm=True), told.append
    )

    assert told == [10, 20, 30, 35]
    assert await connection.fetchval("SELECT count(*) FROM log_records") == 1


async def test_the_command_forgets_when_it_is_told_yes(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    await store(database, of_the_person())
    environment = {
        "DATABASE_URL": settings.database_url,
        "PRODSENTINEL_DATA_DIR": settings.data_dir,
    }

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(main, ["forget", PERSON, *arguments], env=environment)

    unsure = await asyncio.to_thread(run)
    counted = await asyncio.to_thread(run, "--dry-run", "--json")
    before = await connection.fetchval("SELECT count(*) FROM log_records")
    done = await asyncio.to_thread(run, "--yes", "--done-by", "ops")

    assert (unsure.exit_code, "--dry-run" in unsure.stderr) == (2, True)
    assert json.loads(counted.stdout)["counts"]["records"] == 1
    assert before == 1
    assert done.exit_code == 0, done.output
    assert "1  log records" in done.stdout
    assert "Not reached:" in done.stdout
    assert await connection.fetchval("SELECT count(*) FROM log_records") == 0
