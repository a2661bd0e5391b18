import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database import Database
from app.normalise.record import LogRecord, Severity
from app.query import live, live_finder, live_listener
from app.query.cursors import InvalidCursor
from app.query.live import LiveTail, TooManyListeners
from app.query.live_events import Batch, Place, read_place, write_place
from app.query.live_listener import Listener
from app.query.search import parse_search
from app.settings import Settings
from app.store.arrivals import Moment
from tests.query.live_client import Event, parsed
from tests.query.test_incidents import statements
from tests.store.test_arrivals import a_record, held_open, write

pytestmark = pytest.mark.anyio
ALL = parse_search("")
AT = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)

moments = st.builds(
    lambda oldest, reach, gaps: Moment(
        oldest=oldest,
        following=oldest + reach,
        under_way=tuple(sorted(oldest + gap % reach for gap in gaps)) if reach else (),
        taken_at=AT,
    ),
    st.integers(1, 2**40), st.integers(0, 500), st.sets(st.integers(0, 500)),
)  # fmt: skip


@given(moments, moments, st.integers(1, 5000))
def test_a_cursor_is_read_as_it_was_written(one: Moment, other: Moment, remaining: int) -> None:
    for place in (Place(moment=one), Place(moment=one, following=other, remaining=remaining)):
        assert read_place(write_place(place)) == place


@given(st.text() | st.binary().map(lambda some: some.hex()))
def test_a_cursor_that_was_made_up_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        read_place(cursor)


def events_in(payload: bytes) -> list[Event]:
    found = [parsed(block, "")[0] for block in payload.decode().split("\n\n")]
    return [event for event in found if event]


async def heard(listener: Listener, count: int) -> list[Event]:
    """The next events, however they were batched."""
    found: list[Event] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            sent = await listener.next()
            assert sent, "the stream ended"
            found += events_in(sent)
    return found


def messages(found: list[Event]) -> list[str]:
    return [event.data["message"] for event in found]


@asynccontextmanager
async def tailing(database: Database, settings: Settings) -> AsyncIterator[LiveTail]:
    tail = LiveTail(database, settings)
    try:
        yield tail
    finally:
        await tail.close()


async def store(database: Database, *records: LogRecord) -> None:
    async with database.driver() as driver:
        await write(driver, *records)


async def test_a_listener_hears_what_matches_from_now_on(
    database: Database, settings: Settings
) -> None:
    await store(database, a_record("before"))
    search = parse_search("service:payment level:>=error")
    async with tailing(database, settings) as tail:
        listener = await tail.join(search)
        await store(
            database,
            a_record("too mild"),
            a_record("elsewhere", service="gateway", level=Severity.ERROR),
            a_record("declined", level=Severity.CRITICAL, attributes='{"order_id": "o-17"}'),
        )

        (event,) = await heard(listener, 1)

    assert event.data["message"] == "declined"
    assert event.data["attributes"] == {"order_id": "o-17"}
    assert event.data["correlation_id"]


async def test_a_record_whose_transaction_ends_late_is_told_once(
    database: Database, settings: Settings
) -> None:
    async with tailing(database, settings) as tail:
        listener = await tail.join(ALL)
        async with held_open(settings.database_url, a_record("slow")):
            await store(database, a_record("quick"))
            first = await heard(listener, 1)
        await store(database, a_record("last"))
        rest = await heard(listener, 2)

    assert messages(first) == ["quick"]
    assert sorted(messages(rest)) == ["last", "slow"]


async def test_what_waited_in_a_spool_is_told_when_it_is_stored(
    database: Database, settings: Settings
) -> None:
    async with tailing(database, settings) as tail:
        listener = await tail.join(ALL)
        await store(database, a_record("old", received_at=datetime.now(UTC) - timedelta(hours=9)))

        assert messages(await heard(listener, 1)) == ["old"]


async def test_from_any_cursor_a_listener_goes_on_without_loss_or_doubling(
    database: Database, settings: Settings
) -> None:
    async with tailing(database, settings) as one, tailing(database, settings) as other:
        first = await one.join(ALL)
        await store(database, *(a_record(f"a{n}") for n in range(5)))
        told = await heard(first, 5)
        async with held_open(settings.database_url, a_record("slow")):
            await store(database, *(a_record(f"b{n}") for n in range(5)))
            told += await heard(first, 5)
        told += await heard(first, 1)

        for place, event in enumerate(told, 1):
            again = await other.join(ALL, read_place(event.last_id))
            rest = told[place:]
            # What came in one go is in order; that the slow one came later is past.
            missed = await heard(again, len(rest))
            assert sorted(messages(missed)) == sorted(messages(rest))
            other.leave(ALL, again)


async def test_many_listeners_of_one_search_cost_one_query(
    database: Database, settings: Settings
) -> None:
    search = parse_search("service:payment")
    async with tailing(database, settings) as tail:
        listeners = [await tail.join(search) for _ in range(50)]
        same = await tail.join(parse_search("  service:payment "))
        with statements(database) as sent:
            await store(database, a_record("paid"))
            for listener in (*listeners, same):
                assert messages(await heard(listener, 1)) == ["paid"]

        assert tail.searches() == 1

    # Two polls at most: the record may come while one is under way.
    assert len([one for one in sent if "OFFSET 0" in one]) <= 2


@asynccontextmanager
async def in_the_way(connection: asyncpg.Connection, table: str) -> AsyncIterator[None]:
    """Whoever reads the table waits."""
    async with connection.transaction():
        await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


async def test_many_searches_cost_one_query(database: Database, settings: Settings) -> None:
    async with tailing(database, settings) as tail:
        listeners = [await tail.join(parse_search(f"service:payment -m{n}")) for n in range(10)]
        with statements(database) as sent:
            await store(database, a_record("paid"))
            for listener in listeners:
                assert messages(await heard(listener, 1)) == ["paid"]

    assert len([one for one in sent if "OFFSET 0" in one]) <= 2


async def test_a_search_that_fails_takes_no_other_with_it_and_comes_back(
    database: Database,
    settings: Settings,
    connection: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_finder, "STATEMENT_SECONDS", 0.5)
    monkeypatch.setattr(live_finder, "APART_SECONDS", 0.5)
    async with tailing(database, settings) as tail:
        one = await tail.join(parse_search("service:payment"))
        other = await tail.join(parse_search("level:>=error"))
        failing = await tail.join(parse_search("-has:issue"))
        async with in_the_way(connection, "matches"):
            await store(
                database,
                a_record("paid"),
                a_record("declined", level=Severity.ERROR),
                a_record("refused", service="gateway", level=Severity.ERROR),
            )
            first = [await heard(listener, 2) for listener in (one, other)]
            (told,) = await heard(failing, 1)
        while not failing.is_gone:
            await store(database, a_record("fresh", level=Severity.ERROR))
            if (await heard(failing, 1))[0].kind == "message":
                break
        rest = [await heard(listener, 1) for listener in (one, other)]

    assert [sorted(messages(found)) for found in first] == [
        ["declined", "paid"],
        ["declined", "refused"],
    ]
    assert (told.kind, told.data["records"]) == ("skipped", None)
    assert {message for found in rest for message in messages(found)} == {"fresh"}


async def test_when_what_came_cannot_be_read_in_time_all_begin_anew(
    database: Database,
    settings: Settings,
    connection: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_finder, "STATEMENT_SECONDS", 0.2)
    async with tailing(database, settings) as tail:
        listeners = [await tail.join(parse_search(text)) for text in ("", "service:payment")]
        async with in_the_way(connection, "late_arrivals"):
            told = [await heard(listener, 1) for listener in listeners]
        monkeypatch.undo()
        await store(database, a_record("fresh"))
        for listener in listeners:
            found = await heard(listener, 1)
            while found[-1].kind == "skipped":
                found = await heard(listener, 1)
            assert messages(found) == ["fresh"]

    assert [(event.kind, event.data["records"]) for (event,) in told] == 2 * [("skipped", None)]


async def test_nobody_listening_costs_nothing(database: Database, settings: Settings) -> None:
    async with tailing(database, settings) as tail:
        listener = await tail.join(ALL)
        tail.leave(ALL, listener)
        await asyncio.sleep(0)
        with statements(database) as sent:
            await asyncio.sleep(2 * live.POLL_SECONDS)

        assert (tail.searches(), tail.listeners(), sent) == (0, 0, [])
        assert await listener.next() == b""


async def test_of_too_many_at_once_the_newest_are_told_and_the_others_counted(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_finder, "MOST_AT_ONCE", 3)
    async with tailing(database, settings) as tail:
        listener = await tail.join(ALL)
        now = datetime.now(UTC)
        await store(
            database,
            *(a_record(str(n), received_at=now + timedelta(milliseconds=n)) for n in range(10)),
        )

        skipped, *rest = await heard(listener, 4)

    assert (skipped.kind, skipped.data["records"]) == ("skipped", 7)
    assert messages(rest) == ["7", "8", "9"]


def a_batch(number: int) -> Batch:
    moment = Moment(oldest=number, following=number, under_way=(), taken_at=AT)
    return Batch(payload=b'data: "x"\n\n', records=3, place=Place(moment=moment))


async def test_a_slow_listener_is_told_how_many_it_missed() -> None:
    listener = Listener(b"", Place(moment=a_batch(1).place.moment))
    for number in range(1, live_listener.MOST_WAITING + 5):
        listener.offer(a_batch(number))
    held = [await listener.next() for _ in range(live_listener.MOST_WAITING)]

    (skipped,) = events_in(await listener.next())

    assert len(held) == live_listener.MOST_WAITING
    assert (skipped.kind, skipped.data["records"]) == ("skipped", 5 * 3)


async def test_a_listener_that_takes_nothing_for_long_is_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_listener, "STALLED_SECONDS", -1)
    listener = Listener(b"", Place(moment=a_batch(1).place.moment))
    for number in range(1, live_listener.MOST_WAITING + 5):
        listener.offer(a_batch(number))

    assert listener.is_gone
    assert await listener.next() == b""


async def test_a_listener_that_was_let_go_ends_its_poll(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_listener, "STALLED_SECONDS", -1)
    monkeypatch.setattr(live_listener, "MOST_WAITING", 1)
    async with tailing(database, settings) as tail, asyncio.timeout(20):
        await tail.join(ALL)
        while tail.searches():
            await store(database, a_record())
            await asyncio.sleep(0.1)

        again = await tail.join(ALL)
        monkeypatch.undo()
        await again.next()
        await store(database, a_record("fresh"))
        assert messages(await heard(again, 1)) == ["fresh"]


async def test_an_idle_listener_gets_heartbeats_with_a_newer_cursor(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_listener, "HEARTBEAT_SECONDS", 0.01)
    search = parse_search("service:nobody")
    async with tailing(database, settings) as tail, asyncio.timeout(20):
        listener = await tail.join(search)
        opened = await listener.next()
        await store(database, a_record())
        beat = await listener.next()
        while beat.split(b"id: ")[1] == opened.split(b"id: ")[1]:
            beat = await listener.next()

    assert beat.startswith(b": heartbeat\nid: ")
    assert b"data" not in beat


@pytest.mark.parametrize("age", [timedelta(hours=2), -timedelta(hours=2)])
async def test_after_too_long_a_break_a_listener_begins_anew_and_is_told_so(
    database: Database, settings: Settings, age: timedelta
) -> None:
    async with tailing(database, settings) as tail:
        now = datetime.now(UTC)
        future = 2**40 if age < timedelta(0) else 1
        old = Moment(oldest=future, following=future, under_way=(), taken_at=now - age)
        listener = await tail.join(ALL, Place(moment=old))

        (event,) = await heard(listener, 1)

    assert (event.kind, event.data["records"]) == ("skipped", None)


async def test_a_cursor_that_ends_long_before_it_begins_is_that_of_too_long_a_break(
    database: Database, settings: Settings
) -> None:
    now, ended = datetime.now(UTC), datetime.min.replace(tzinfo=UTC)
    since, until = (
        Moment(oldest=1, following=1, under_way=(), taken_at=taken_at) for taken_at in (now, ended)
    )
    async with tailing(database, settings) as tail:
        listener = await tail.join(ALL, Place(moment=since, following=until, remaining=1))

        (event,) = await heard(listener, 1)

    assert (event.kind, event.data["reason"]) == ("skipped", "the break was too long")


async def test_one_process_has_a_bounded_number_of_searches_and_listeners(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_SEARCHES", 2)
    monkeypatch.setattr(live, "MOST_LISTENERS", 3)
    monkeypatch.setattr(live, "MOST_TEXT", 5)
    async with tailing(database, settings) as tail:
        await tail.join(parse_search("a"))
        with pytest.raises(TooManyListeners):
            await tail.join(parse_search("longer"))
        for text in ("b", "b"):
            await tail.join(parse_search(text))

        for text in ("a", "c"):
            with pytest.raises(TooManyListeners):
                await tail.join(parse_search(text))
