"""Stack traces of .NET 6, of .NET Framework, and of an AggregateException."""

from collections.abc import Callable

from app.signatures.model import ErrorReport

Read = Callable[[str], ErrorReport]


def test_inner_exceptions_are_closed_from_inside_out(read: Read) -> None:
    errors = read("dotnet-inner").errors

    assert [error.type for error in errors] == [
        "System.Net.Sockets.SocketException",
        "System.Net.Http.HttpRequestException",
        "System.InvalidOperationException",
    ]
    assert errors[0].message == "Connection refused"
    assert [f.function for f in errors[2].frames] == ["<Main>", ".ctor"]


def test_a_state_machine_is_the_method_that_was_written(read: Read) -> None:
    frame = read("dotnet-inner").errors[1].frames[-1]

    assert (frame.module, frame.function, frame.line) == ("Acme.Psp.PspClient", "SendAsync", 44)


def test_one_line_may_hold_the_whole_chain(read: Read) -> None:
    errors = read("dotnet-framework").errors

    assert [(error.type, error.message) for error in errors] == [
        ("System.FormatException", "root"),
        ("System.ArgumentException", "inner"),
        ("System.Exception", "outer"),
    ]
    assert [error.frames[-1].function for error in errors] == ["Root", "Inner", "Outer"]


def test_every_exception_of_an_aggregate_is_read_once(read: Read) -> None:
    errors = read("dotnet-aggregate").errors

    assert [error.type for error in errors] == [
        "System.InvalidOperationException",
        "System.TimeoutException",
        "System.AggregateException",
    ]
    assert errors[1].frames[0].function == "B"


def test_mono_tells_offsets(read: Read) -> None:
    (error,) = read("dotnet-mono").errors

    assert [(f.function, f.line) for f in error.frames] == [("Main", 0), ("Bar", 12)]
