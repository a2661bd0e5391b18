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
