"""Names of a search that nobody heard of."""

from datetime import timedelta

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.query.search import parse_search
from app.query.unheard import REACH, Name, hint_of, names_in
from tests.flows.test_refused import found_by

SERVICES = ("payment", "inventory", "gateway")
_NAMES = st.text(min_size=1, max_size=20)


def paymnt(kind: str = "service") -> Name:
    return Name(kind=kind, value="paymnt")


def test_the_nearest_name_is_told() -> None:
    told = hint_of(paymnt(), SERVICES, reach=REACH)

    assert told == "no service `paymnt` was heard of in 7 days; did you mean `payment`?"


def test_case_does_not_hide_the_nearest_name() -> None:
    told = hint_of(Name(kind="service", value="PAYMENT"), ("Payment",), reach=REACH)

    assert told is not None
    assert told.endswith("did you mean `Payment`?")


def test_nothing_near_is_no_suggestion() -> None:
    told = hint_of(Name(kind="release", value="9.9"), SERVICES, reach=timedelta(days=20.5))

    assert told == "no release `9.9` was heard of in 21 days"


def test_a_known_issue_is_not_heard_of_but_is() -> None:
    told = hint_of(paymnt("issue"), ("payment",), reach=REACH)

    assert told == "there is no known issue `paymnt`; did you mean `payment`?"


def test_a_long_name_is_cut() -> None:
    told = hint_of(Name(kind="service", value="x" * 1_000), SERVICES, reach=REACH)

    assert told is not None
    assert len(told) < 200


@given(name=_NAMES, known=st.lists(_NAMES))
def test_a_hint_is_given_exactly_of_what_is_not_known(name: str, known: list[str]) -> None:
    told = hint_of(Name(kind="service", value=name), known, reach=REACH)

    assert (told is None) == (name in known)


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("service:a env:b release:c issue:d", ["a", "b", "c", "d"]),
        ("service:a (service:b OR service:a) refused", ["a", "b"]),
        ("-service:a service:b* instance:c correlation:d attr.e:f level:error", []),
        ("", []),
    ],
)
def test_the_names_of_a_search_are_the_whole_ones_that_it_asks_for(
    q: str, names: list[str]
) -> None:
    found = names_in(parse_search(q))

    assert [one.value for one in found] == names


@pytest.mark.anyio
async def test_a_search_that_finds_nothing_says_which_name_nobody_bore(
    client: httpx.AsyncClient,
) -> None:
    record = {"service": "payment", "message": "m", "environment": "prod", "release": "1.4.2"}
    await client.post("/ingest/logs", json=record)
    assert await found_by(client, "service:payment")
    await counted(client)

    hints = {q: (await client.get("/api/logs", params={"q": q})).json()["hint"] for q in HINTS}

    assert hints == HINTS


HINTS = {
    "service:paymnt": "no service `paymnt` was heard of in 7 days; did you mean `payment`?",
    "env:prd level:error": ("no environment `prd` was heard of in 7 days; did you mean `prod`?"),
    "service:payment release:1.4.3": (
        "no release `1.4.3` was heard of in 7 days; did you mean `1.4.2`?"
    ),
    "issue:raw-sql-txt": "there is no known issue `raw-sql-txt`; did you mean `raw-sql-text`?",
    "service:payment": None,
    "service:payment level:critical": None,
    "neverwritten": None,
}


async def counted(client: httpx.AsyncClient) -> None:
    """Until the records of the service are counted."""
    for _ in range(300):
        if (await client.get("/api/services")).json()["services"]:
            return
        await anyio.sleep(0.1)
    pytest.fail("the records were not counted within 30 s")
