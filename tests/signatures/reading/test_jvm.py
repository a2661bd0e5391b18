"""Stack traces that Java printed here, and Spring's."""

from collections.abc import Callable

from app.signatures.model import ErrorReport
from app.signatures.reading import read_error

Read = Callable[[str], ErrorReport]


def test_the_cause_leads_and_has_its_spared_frames_back(read: Read) -> None:
    root, outer = read("java-suppressed").errors

    assert root.type == "java.lang.NullPointerException"
    assert [f.function for f in root.frames] == [
        "main",
        "top",
        "mid",
        "low",
        "forEach",
        "lambda$low$0",
    ]
    assert (outer.type, outer.message) == ("A$PaymentException", "charge failed\nsecond line")


def test_a_suppressed_exception_is_no_cause(read: Read) -> None:
    assert all("IllegalState" not in error.type for error in read("java-suppressed").errors)


def test_modules_and_loaders_are_no_part_of_a_class(read: Read) -> None:
    root = read("java-lambda").errors[0]

    assert root.frames[-1].module == "java.lang.NumberFormatException"
    assert root.frames[-4].function == "parse"


def test_lambda_and_cglib_names_stay_as_reported(read: Read) -> None:
    report = read("java-spring")

    modules = [f.module for f in report.errors[-1].frames]
    assert "com.acme.pay.PayService$$EnhancerBySpringCGLIB$$3f2a1b" in modules
    assert "com.acme.pay.PayService$$Lambda$14/0x0000000800066840" in modules
    assert "com.acme.pay.Api" in modules


def test_a_type_need_not_end_in_exception_above_frames(read: Read) -> None:
    outer = read("java-spring").errors[-1]

    assert (outer.type, outer.message) == ("com.acme.pay.PaymentDeclined", "card declined")


def test_a_driver_s_detail_belongs_to_its_message(read: Read) -> None:
    report = read("java-spring")

    assert report.errors[0].message.endswith("Detail: Key (id)=(42) already exists.")
    assert report.code == "23505"


def test_a_trace_without_its_head_begins_with_its_cause() -> None:
    report = read_error(
        "\tat com.acme.A.a(A.java:1)\n"
        "Caused by: java.io.IOException: pipe\n\tat com.acme.B.b(B.scala:2)\n\t... 1 more"
    )

    assert report.truncated
    assert [error.type for error in report.errors] == ["java.io.IOException", ""]
    assert [f.function for f in report.errors[0].frames] == ["a", "b"]


def test_logback_may_print_the_root_first() -> None:
    report = read_error(
        "java.io.IOException: pipe\n\tat com.acme.B.b(B.java:2)\n"
        "Wrapped by: com.acme.PayException: no\n\tat com.acme.A.a(A.java:1)"
    )

    assert [error.type for error in report.errors] == [
        "java.io.IOException",
        "com.acme.PayException",
    ]


def test_kotlin_frames_are_read(read: Read) -> None:
    (error,) = read("kotlin-main").errors

    assert error.type == "kotlin.UninitializedPropertyAccessException"
    assert (error.frames[-1].module, error.frames[-1].line) == ("MainKt", 5)


def test_an_indented_line_that_names_an_error_is_part_of_the_message() -> None:
    (error,) = read_error(
        "java.lang.RuntimeException: x\n  nested Error: foo\n\tat a.b.C.d(E.java:1)"
    ).errors

    assert error.message == "x\n  nested Error: foo"


def test_a_circular_reference_is_no_error_of_its_own() -> None:
    report = read_error(
        "java.lang.IllegalStateException: outer\n\tat com.acme.A.a(A.java:1)\n"
        "Caused by: java.io.IOException: inner\n\tat com.acme.B.b(B.java:1)\n"
        "Caused by: [CIRCULAR REFERENCE: java.lang.IllegalStateException: outer]"
    )

    assert [error.message for error in report.errors] == ["inner", "outer"]
