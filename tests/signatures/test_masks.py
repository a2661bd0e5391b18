import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.signatures import mask

PIECES = st.sampled_from(
    [
        "order", "returned", "status", "code", "errno", "signal", "=", "404", "503", "17", "-5",
        "1.5", "ms", "bytes", "KB)", "(1.02", "ORD-3001", "pay_9fK2xQ7LmZ", "req-8f3a", "0x7ffe",
        "10.0.0.1:5432", "::1", "fe80::1", "00:11:43:e3:ba:c3", "10:00:00,123", "2024-05-01",
        "2024-05-01T10:00:00Z", "Dec", "Fri", "May,", "a@b.com", "/home/bob/x/1", "C:\\Users\\b\\x",
        "https://a.b/c/1?d=e&f=2", "?a=b", "'x y'", '"orders"', 'relation "orders"', '"', "'", "\\",
        "key='v'", '{"a":1,"b":"c"}', "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc", "<num>",
        "<str>", "<time>", "<", ">", "HTTP/1.1", "org.acme.Foo2", "Foo2::bar", "sha256", "Not",
        "123e4567-e89b-12d3-a456-426614174000", "1h30m", "<1", "12%", "3rd", "[Errno", "111]",
        'column "deadbeef1"', "'DATABASE_URL5'", "'10.0.0.1'", "'a.b5'", "0relation", "object9fK2x",
        "'GET /a/1 HTTP/1.1'", "'eyJabcdefgh.abc'", "'Http2Error'", "with", "=", "May", "x5=", "%",
        "/home/?a=b", "is", "of", "-> ", "[404]", "PM", "`x`", "\u201cy\u201d", "'O'Neil'",
        "zip", "exited", "GET", "(1062,", "[::1]:443", "fe80::1%eth0", "E0308", "cus_abCdEfGh",
        "SQLSTATE[23505]", "ORA-00942", "aGVsbG8gd29ybGQgdGhpcyBpcyBhIHRlc3Q0NTY3ODkwMTIzNDU2",
    ]
)  # fmt: skip
SEPARATORS = st.sampled_from(["", " ", " ", " ", "=", ":", ",", "/", "-", "_", ".", "\n", "(", "]"])
LOGLIKE = st.lists(st.tuples(PIECES, SEPARATORS), max_size=12).map(
    lambda pairs: "".join(piece + separator for piece, separator in pairs)
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order ORD-3001 failed", "order ORD-7 failed"),
        ("payment pay_9fK2xQ7LmZ declined", "payment pay_Zz81LLqPw0 declined"),
        ("request req-8f3a lost", "request req-77b1 lost"),
        ("took 950ms", "took 1.2s"),
        ("took 950 ms", "took 1.2 seconds"),
        ("sent 12 bytes", "sent 4.5 MB"),
        ("sent 403 bytes", "sent 1046 bytes (1.02 KB)"),
        ("from 10.0.0.1:5432", "from 192.168.11.20:41"),
        ("mail a@b.com bounced", "mail alice.x+y@mail.example.org bounced"),
        ("read at 0x7ffe12", "read at 0x1"),
        ("no lease for 00:11:43:e3:ba:c3", "no lease for 02:42:ac:11:00:02"),
        ("user 'bob smith' is locked", "user 'eve' is locked"),
        ("at 2024-05-01T10:00:00Z", "at 2023-11-30T23:59:59.123+02:00"),
        ("until Fri Dec 10 19:02:14 EST 2004", "until Mon Sep 27 22:15:07 EDT 2027"),
        ("GET https://a.example/v1/orders/17?page=2", "GET https://a.example/v1/orders/9?page=3"),
        ("in /home/bob/x/17.csv", "in /home/alice/x/4.csv"),
        ("at 2024-05-01T10:00:00Z x", "at 2024-12-31 10:00:00 PM x"),
        ("customer cus_NffrFeUfNV2Hib gone", "customer cus_abCdEfGhIjKl gone"),
        ("zip code 10115 invalid", "zip code 80331 invalid"),
        ("postal_code=10115 invalid", "postal_code=80331 invalid"),
        ("returned 404 users", "returned 12 users"),
        ("failed with 300 attempts", "failed with 5 attempts"),
        ("[::1]:443 refused", "127.0.0.1:5432 refused"),
        ("fe80::1%eth0 refused", "::ffff:10.0.0.1 refused"),
        ("user 'O'Neil' unknown", "user 'bob' unknown"),
        ("user \u201calice\u201d unknown", "user \u201cbob\u201d unknown"),
        ("user `alice` unknown", "user `bob` unknown"),
    ],
)
def test_what_varies_is_masked_alike(one: str, other: str) -> None:
    assert mask(one).text == mask(other).text


@pytest.mark.parametrize(
    "text",
    [
        "upstream returned 404",
        "upstream returned 503",
        "gave 502 Bad Gateway",
        "status code: 500",
        "http_status=404",
        "[Errno 111] Connection refused",
        "exited with exit code 137",
        "killed by signal 9",
        "SQLSTATE[23505]: Unique violation",
        "SQLSTATE 42P01",
        "ORA-00942: table or view does not exist",
        'relation "orders" does not exist',
        'null value in column "total" of relation "orders"',
        'violates unique constraint "users_email_key"',
        "'NoneType' object has no attribute 'total'",
        "OrderService::place refused",
        "com.acme.v2.Order$1 refused",
        "java.lang.IllegalStateException: closed",
        "cannot decode utf8 in base64",
    ],
)
def test_what_discriminates_stays(text: str) -> None:
    assert mask(text).text == text


@pytest.mark.parametrize(
    "shape",
    [
        "response: {}", "response code was {}", "status code of {}", "status is {}", "status -> {}",
        "[{}] payments", "failed: {}", "GET /a {} 12ms", "POST https://api/x: {}", "HTTP-{}",
        "payments answered with a {}", 'status "{}"', "{}",
    ],
)  # fmt: skip
def test_statuses_stay_however_they_are_told(shape: str) -> None:
    assert mask(shape.format(404)).text != mask(shape.format(503)).text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Process exited 1", "Process exited 137"),
        ("TS2304: x", "TS2322: x"),
        ("error CS0103: x", "error CS0246: x"),
        ("error[E0308]: x", "error[E0382]: x"),
        ("HRESULT 0x80070005", "HRESULT 0x80004005"),
        ("E11000 duplicate key", "E11001 duplicate key"),
        ('(1062, "Duplicate entry")', '(1213, "Deadlock found")'),
        ("invalid value for 'price'", "invalid value for 'name'"),
        ("failed with result 'exit-code'", "failed with result 'timeout'"),
        ("'email'", "'name'"),
        ('error="timeout"', 'error="refused"'),
    ],
)
def test_codes_and_names_of_failures_are_not_masked_alike(one: str, other: str) -> None:
    assert mask(one).text != mask(other).text


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        "user::a1b2c3d4e5f6",
        "sess.aB3dE5fG7hI9",
        "jms.Reply.a8f3c2d9e1b4",
        "ab12Cd34.ef56Gh78",
    ],
)
def test_no_secret_passes_for_a_dotted_name(secret: str) -> None:
    assert secret.rpartition(".")[2].rpartition(":")[2] not in mask(f"token {secret} x").text


def test_a_count_of_rows_is_no_status() -> None:
    assert mask("returned 404 rows").text == mask("returned 17 rows").text


def test_counts_tell_what_was_masked() -> None:
    masked = mask("order ORD-3001 of user 'bob' took 15 ms from 10.0.0.1")

    assert masked.counts == {"id": 1, "str": 1, "duration": 1, "ip": 1}


def test_whitespace_runs_become_one_space() -> None:
    assert mask("  a \t b\n\nc ").text == "a b c"


@given(st.text() | LOGLIKE)
@example("a@code.status 5")
@example("/home/?a=b")
@example('" "b c" d " ')
@example('0RELATION "A"')
@example("\ud800 '\x00' 1")
def test_masking_twice_changes_nothing(text: str) -> None:
    once = mask(text).text

    assert mask(once).text == once


@given(st.binary())
def test_any_bytes_are_masked(data: bytes) -> None:
    for text in (data.decode("utf-8", "replace"), data.decode("latin-1")):
        masked = mask(text)

        assert masked == mask(text)
        assert all(count > 0 for count in masked.counts.values())


@given(st.permutations(["ORD-3001", "10.0.0.1", "worker", "0x7ffe", "a@b.com", "17.5", "late"]))
def test_permuting_words_permutes_masks(words: list[str]) -> None:
    assert mask(" ".join(words)).text.split() == [mask(word).text for word in words]


@given(LOGLIKE)
def test_what_was_remembered_changes_no_mask(text: str) -> None:
    first = mask(text)

    assert mask(text) == first


def test_a_mebibyte_in_one_line_is_masked() -> None:
    assert mask("1" * 1_048_576).text == "<num>"
