import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.signatures import ErrorReport, Frame, RaisedError, ReportedException, sign, sign_text

NAMES = st.text("abcdefgh", min_size=1, max_size=6)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


def frame(function: str, module: str = "/srv/app/orders.py", line: int = 1) -> Frame:
    return Frame(function=function, module=module, line=line)


def report(*frames: Frame, type_: str = "ValueError", message: str = "bad 5") -> ErrorReport:
    return ErrorReport(
        message="m", errors=(RaisedError(type=type_, message=message, frames=frames),)
    )


FRAMES = st.builds(
    Frame, function=NAMES, module=NAMES.map("/srv/app/{}.py".format), line=st.integers(1, 999)
)


@given(st.lists(FRAMES, min_size=1), st.integers(1, 10_000), PATHS)
def test_line_numbers_and_path_prefixes_never_matter(
    frames: list[Frame], shift: int, prefix: str
) -> None:
    moved = [
        frame(one.function, one.module.replace("/srv/app", prefix), (one.line or 0) + shift)
        for one in frames
    ]

    assert sign(report(*frames)).signature_id == sign(report(*moved)).signature_id


@given(st.lists(FRAMES, min_size=1, unique=True), st.integers(1, 30), st.data())
def test_recursion_depth_never_matters(
    frames: list[Frame], depth: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(frames) - 1))
    deeper = [*frames[:at], *[frames[at]] * depth, *frames[at + 1 :]]

    assert sign(report(*frames)).signature_id == sign(report(*deeper)).signature_id


@given(st.integers(2, 40), st.integers(2, 40))
def test_where_in_a_cycle_the_stack_ran_out_never_matters(one: int, other: int) -> None:
    def exhausted(depth: int) -> ErrorReport:
        cycle = [frame("visit"), frame("descend")] * 21
        return report(
            frame("main"), *cycle[: depth + 2], type_="RecursionError", message="too deep"
        )

    assert sign(exhausted(one)).signature_id == sign(exhausted(other)).signature_id


def test_library_frames_never_matter() -> None:
    library = frame("execute", "/usr/lib/python3/dist-packages/psycopg/cursor.py")
    own = frame("place"), frame("store")

    signature = sign(report(own[0], library, own[1], library, library))

    assert signature.signature_id == sign(report(*own)).signature_id
    assert signature.culprit == "store (orders.py)"


def test_library_frames_alone_leave_it_to_the_message() -> None:
    library = frame("execute", "/x/node_modules/pg/lib/client.js")

    signature = sign(report(library))

    assert signature.explanation.variant == "type-and-message"
    assert (signature.callee, signature.caller, signature.culprit) == ("", "", "")


def test_the_message_matters_only_where_frames_do_not_speak() -> None:
    spoken = [sign(report(frame("f"), message=text)).signature_id for text in ("one", "two")]
    silent = [sign(report(message=text)).signature_id for text in ("one", "two")]

    assert len(set(spoken)) == 1
    assert len(set(silent)) == 2


def test_the_callee_is_shared_by_callers_that_differ() -> None:
    one = sign(report(frame("create"), frame("store")))
    other = sign(report(frame("cancel"), frame("store")))

    assert one.callee == other.callee
    assert one.caller != other.caller
    assert one.signature_id != other.signature_id


def test_the_root_cause_leads() -> None:
    root = RaisedError(type="OSError", message="refused", frames=(frame("connect"),))
    wrapped = ErrorReport(
        message="m",
        errors=(root, RaisedError(type="PoolError", message="no", frames=(frame("acquire"),))),
    )

    signature = sign(wrapped)

    assert signature.signature_id == sign(ErrorReport(message="m", errors=(root,))).signature_id
    assert signature.title == "OSError: refused"


def test_a_root_without_frames_borrows_those_of_its_wrapper() -> None:
    wrapper = RaisedError(type="PoolError", frames=(frame("acquire"),))

    def caused_by(message: str) -> ErrorReport:
        return ErrorReport(
            message="m", errors=(RaisedError(type="OSError", message=message), wrapper)
        )

    refused, reset = sign(caused_by("refused")), sign(caused_by("reset"))

    assert refused.culprit == "acquire (orders.py)"
    assert refused.signature_id != reset.signature_id


def test_the_senders_own_fingerprint_is_honoured() -> None:
    one = sign(report(frame("f")), fingerprint=("checkout", "card"))
    other = sign(report(frame("g"), type_="KeyError"), fingerprint=("checkout", "card"))

    assert one.signature_id == other.signature_id
    assert one.explanation.variant == "custom"


def test_default_in_a_fingerprint_stands_for_what_would_have_decided() -> None:
    one = sign(report(frame("f")), fingerprint=("{{ default }}", "tenant-a"))
    same = sign(report(frame("f", line=9)), fingerprint=("{{ default }}", "tenant-a"))
    other = sign(report(frame("g")), fingerprint=("{{ default }}", "tenant-a"))

    assert one.signature_id == same.signature_id != other.signature_id


def test_the_explanation_says_what_came_from_where() -> None:
    explanation = sign(report(frame("place"), frame("store"), message="order 17")).explanation

    assert {part.name: (part.value, part.origin) for part in explanation.parts} == {
        "type": ("ValueError", "errors[0].type"),
        "origin": ("orders.py:store", "errors[0].frames"),
        "path": ("orders.py:place > orders.py:store", "errors[0].frames"),
    }
    assert explanation.masked == {"num": 1}


def test_a_code_tells_equal_messages_apart() -> None:
    one, other = (sign(ErrorReport(message="it failed", code=code)) for code in ("404", "503"))

    assert one.signature_id != other.signature_id


@given(st.text(), st.text(), st.text(), st.text())
def test_any_text_gets_the_same_signature_every_time(
    message: str, type_: str, said: str, stack: str
) -> None:
    exception = ReportedException(type=type_, message=said, stacktrace=stack)

    signature = sign_text(message, exception)

    assert signature == sign_text(message, exception)
    assert len(signature.signature_id) == len("v1:") + 32
    assert len(signature.title) <= 200
    assert len(signature.message) <= 1_000


def test_a_long_message_is_signed_in_bounded_memory() -> None:
    signature = sign_text("a1" * 500_000)

    assert len(signature.message) <= 1_000


def test_ten_thousand_frames_are_signed() -> None:
    frames = [frame(f"step_{number}", f"/srv/app/m{number}.py") for number in range(10_000)]

    assert sign(report(*frames)).culprit == "step_9999 (m9999.py)"


def signature_id(text: str) -> str:
    return sign_text(text).signature_id


REFUSED = "connection refused"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('level=error err="charge: {0}"', 'level=error err="smtp: {0}"'),
        ('level=error err="open /etc/a: EOF"', 'level=error err="decode body: EOF"'),
        ('level=error err="GET https://x/y: 503"', 'level=error err="smtp said: 421"'),
        ('level=error msg="charge failed" err=EOF', 'level=error msg="mail failed" err=EOF'),
        ('{{"msg":"a","err":"charge: {0}"}}', '{{"msg":"a","err":"smtp: {0}"}}'),
        ("Error: charge\n\nCaused by:\n    {0}", "Error: mail\n\nCaused by:\n    {0}"),
    ],
)
def test_the_whole_text_of_an_untyped_error_is_its_identity(one: str, other: str) -> None:
    assert signature_id(one.format(REFUSED)) != signature_id(other.format(REFUSED))


def test_an_untyped_error_that_says_enough_needs_no_log_message() -> None:
    one = signature_id('level=error msg="charge failed" err="dial tcp 10.0.0.1:80: i/o timeout"')
    other = signature_id('level=error msg="refund failed" err="dial tcp 10.0.0.2:80: i/o timeout"')

    assert one == other


def test_the_title_of_an_untyped_error_is_read_from_its_outermost_end() -> None:
    signature = sign_text("Error: charge\n\nCaused by:\n    0: open config\n    1: not found")

    assert signature.title == "charge: open config: not found"


def test_the_code_tells_errors_of_one_frame_apart() -> None:
    def failed(message: str) -> str:
        frames = (frame("fetch"), frame("raise_for_status", "/x/site-packages/requests/models.py"))
        error = RaisedError(type="HTTPError", message=message, frames=frames)
        return sign(ErrorReport(message="m", errors=(error,), code=message[:3])).signature_id

    assert failed("404 Client Error: a") != failed("503 Server Error: a")
    assert failed("404 Client Error: a") == failed("404 Client Error: b")


def test_the_code_is_part_of_every_signature() -> None:
    assert sign_text('{"msg":"x","status":404}').code == "404"
    assert sign_text('{"msg":"x","err":"it failed now","status":404}').code == "404"
    assert sign_text("ValueError: x [Errno 2] y").code == "ENOENT"
    assert sign_text("started").code == ""


def test_names_that_a_library_tells_tell_errors_apart() -> None:
    def failed(message: str, module: str) -> str:
        frames = (frame("execute"), frame("query", module))
        error = RaisedError(type="UndefinedTableError", message=message, frames=frames)
        return sign(ErrorReport(message="m", errors=(error,))).signature_id

    one, other = (f'relation "{name}" does not exist' for name in ("users", "orders"))
    library, own = "/x/site-packages/asyncpg/connection.py", "/srv/app/db.py"

    assert failed(one, library) != failed(other, library)
    assert failed(one, own) == failed(other, own)


@pytest.mark.parametrize(
    "name",
    [
        "?",
        "<anonymous>",
        "<module>",
        "<lambda>",
        "App\\{closure}",
        "{closure}",
        "Object.<anonymous>",
    ],
)
def test_an_origin_without_a_name_leaves_it_to_the_message_too(name: str) -> None:
    one, other = (sign(report(frame(name), message=text)) for text in ("no id", "no total"))

    assert one.signature_id != other.signature_id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "duplicate key\nDETAIL:  Key (email)=(zed) already exists.",
            "duplicate key\nDETAIL:  Key (email)=(a (b) c) already exists.",
        ),
        ("duplicate key\n  Detail: Key (email)=(zed) already exists.", "duplicate key"),
        ("deadlock detected\nDETAIL:  Process 12 waits for ShareLock", "deadlock detected"),
        ("null value\nDETAIL:  Failing row contains (1, bob, null).", "null value"),
        ('no relation\nLINE 1: SELECT * FROM bob\n    ^\nHINT:  try "x"', "no relation"),
        ("Key (email)=(zed) already exists.", "Key (email)=(a@b.c) already exists."),
        ("Failing row contains (1, bob, null).", "Failing row contains (2, x y z, f, g)."),
    ],
)
def test_the_row_that_an_error_met_is_no_part_of_it(one: str, other: str) -> None:
    assert sign(report(message=one)).signature_id == sign(report(message=other)).signature_id
    assert signature_id(one) == signature_id(other)


def test_columns_of_a_key_are_part_of_an_error() -> None:
    one, other = (f"Key ({column})=(zed) already exists." for column in ("email", "name"))

    assert signature_id(one) != signature_id(other)


def test_a_driver_s_pair_is_its_code_and_its_text() -> None:
    deadlock = sign_text('MySQLdb.OperationalError: (1213, "Deadlock found; try again")')
    gone = sign_text('MySQLdb.OperationalError: (2006, "Server has gone away")')

    assert (deadlock.code, deadlock.title) == (
        "1213",
        "MySQLdb.OperationalError: Deadlock found; try again",
    )
    assert deadlock.signature_id != gone.signature_id


def test_an_error_without_name_and_message_is_titled_by_its_call() -> None:
    cut = 'Traceback (most recent call last):\n  File "/srv/app/a.py", line 3, in charge\n    x()'

    assert sign_text(cut).title == "charge (a.py)"


CONTEXT = "During handling of the above exception, another exception occurred:"
CAUSE = "The above exception was the direct cause of the following exception:"


def raised_in(function: str, module: str, error: str) -> str:
    return (
        "Traceback (most recent call last):\n"
        f'  File "/srv/app/{module}.py", line 3, in {function}\n    x()\n{error}'
    )


def test_what_was_raised_last_leads_before_what_was_being_handled() -> None:
    miss = raised_in("get", "cache", "KeyError: 1")
    refused = raised_in("load", "db", "OperationalError: refused")
    template = raised_in("render", "tpl", "TypeError: bad")

    one = sign_text(f"{miss}\n\n{CONTEXT}\n\n{refused}")
    other = sign_text(f"{miss}\n\n{CONTEXT}\n\n{template}")

    assert (one.type, other.type) == ("OperationalError", "TypeError")
    assert one.signature_id == signature_id(refused)
    assert one.signature_id != other.signature_id


def test_a_direct_cause_leads_although_it_has_a_context() -> None:
    miss = raised_in("get", "cache", "KeyError: 1")
    refused = raised_in("load", "db", "OperationalError: refused")
    wrapper = raised_in("handle", "api", "StoreError: no")

    signature = sign_text(f"{miss}\n\n{CONTEXT}\n\n{refused}\n\n{CAUSE}\n\n{wrapper}")

    assert signature.type == "OperationalError"


def test_an_integer_code_of_a_json_error_tells_errors_apart() -> None:
    one, other = (
        json.dumps({"msg": "rpc failed", "error": {"code": code, "message": "no more words"}})
        for code in (4, 14)
    )

    assert sign_text(one).code == "4"
    assert signature_id(one) != signature_id(other)
