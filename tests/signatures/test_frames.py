import pytest

from app.signatures import Frame
from app.signatures.v1.frames import read_call


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lambda$run$0", "lambda$run$17"),
        ("run$$Lambda$14/0x0000000800c040", "run$$Lambda$99/0x0000000801d150"),
        ("create$$EnhancerBySpringCGLIB$$ab12", "create"),
        ("<PlaceAsync>d__12.MoveNext", "<PlaceAsync>d__7.MoveNext"),
        ("Acme.Shop.<>c__DisplayClass5_0.<Run>b__0", "Acme.Shop.<>c__DisplayClass9_1.<Run>b__3"),
        ("main.handle.func1.2", "main.handle.func3"),
        ("shop::cart::total::h0123456789abcdef", "shop::cart::total"),
        ("main.(*Cart).Total(0xc00001, 0x2)", "main.(*Cart).Total(...)"),
        ("block (2 levels) in total", "total"),
        ("App\\{closure:App\\Cart::add():12}", "App\\{closure}"),
        ("async load", "load"),
        ("save [as onClick]", "save"),
    ],
)
def test_names_that_compilers_number_are_one(one: str, other: str) -> None:
    first, second = (read_call(Frame(function=name, module="m")) for name in (one, other))

    assert first.key == second.key


@pytest.mark.parametrize(
    "module",
    [
        "/usr/lib/python3/dist-packages/x.py",
        "/srv/.venv/lib/python3.12/site-packages/flask/app.py",
        "/usr/local/lib/python3.11/asyncio/runners.py",
        "<frozen importlib._bootstrap>",
        "node:internal/process/task_queues",
        "/srv/shop/node_modules/express/lib/router.js",
        "java.util.ArrayList",
        "java.base/java.lang.Thread",
        "org.springframework.web.Servlet",
        "/usr/local/go/src/net/http/server.go",
        "/srv/go/pkg/mod/github.com/gin-gonic/gin@v1.9.1/context.go",
        "/usr/local/bundle/gems/rack-3.0/lib/rack.rb",
        "/var/www/vendor/symfony/http-kernel/HttpKernel.php",
        "/rustc/abc/library/core/src/panicking.rs",
        "/srv/.cargo/registry/src/index-1/tokio-1.0/src/lib.rs",
    ],
)
def test_library_modules_are_not_in_app(module: str) -> None:
    assert not read_call(Frame(function="f", module=module)).in_app


@pytest.mark.parametrize(
    "module",
    [
        "/srv/app/orders.py",
        "orders.py",
        "/home/ci/src/cart.js",
        "webpack-internal:///./src/list.tsx",
        "com.acme.shop.OrderService",
        "/srv/shop/cart.go",
        "src/main.rs",
        "<string>",
        "/app/lib/pricing.rb",
    ],
)
def test_the_teams_own_modules_are_in_app(module: str) -> None:
    assert read_call(Frame(function="f", module=module)).in_app


@pytest.mark.parametrize(
    "function", ["System.Linq.Enumerable.First", "runtime.gopanic", "core::panicking::panic_fmt"]
)
def test_library_functions_are_not_in_app(function: str) -> None:
    assert not read_call(Frame(function=function, module="?")).in_app


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/srv/app/orders/views.py", "/srv/app/users/views.py"),
        ("orders/__init__.py", "users/__init__.py"),
        ("https://shop.example/src/orders/index.js", "https://shop.example/src/users/index.js"),
        ("github.com/acme/orders/handlers", "github.com/acme/users/handlers"),
    ],
)
def test_a_file_whose_name_every_package_has_is_known_by_its_folder(one: str, other: str) -> None:
    first, second = (read_call(Frame(function="get", module=name)) for name in (one, other))

    assert first.key != second.key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/srv/app/main.py", "/app/main.py"),
        ("/home/bob/main.py", "/srv/app/main.py"),
        ("/srv/releases/20240501/main.py", "main.py"),
        ("https://shop.example/main.js", "webpack:///./src/main.js"),
        ("/srv/app/orders/views.py", "/opt/shop/orders/views.py"),
        ("/static/main.deadbeef.js", "/static/main.4f3a2b1c.js"),
        ("/assets/main-BqT_xkZp.js", "/assets/main-AbC_dEfG.js"),
        ("/assets/main-BqTaxkZp.js", "/assets/main.js"),
    ],
)
def test_where_a_file_was_installed_never_matters(one: str, other: str) -> None:
    first, second = (read_call(Frame(function="get", module=name)) for name in (one, other))

    assert first.key == second.key


@pytest.mark.parametrize("name", ["order-my_thing.js", "order.settings.js", "order-MyWidget.js"])
def test_a_bundle_s_own_name_is_no_hash(name: str) -> None:
    assert read_call(Frame(function="get", module=f"/srv/{name}")).module == name


@pytest.mark.parametrize(
    ("module", "in_app"),
    [
        ("/srv/app/vendor/models.py", True),
        ("/srv/app/vendor/list.ts", True),
        ("/srv/app/vendor/acme/A.php", False),
        ("github.com/acme/shop/vendor/github.com/x/y", False),
        ("/srv/gems/app/main.py", True),
        ("/opt/jvm/app/run.py", True),
        ("<native>", False),
        ("pandas/_libs/parsers.pyx", False),
        ("stringsource", False),
        ("asyncpg/protocol/protocol.pyx", False),
        ("acme/pay.pyx", True),
    ],
)
def test_what_a_folder_says_depends_on_the_language(module: str, *, in_app: bool) -> None:
    assert read_call(Frame(function="f", module=module)).in_app is in_app
