"""Frame names of v1: what stays of a call when line, build, machine and depth are taken away."""

import re

import msgspec

from app.normalise.record import Frame


class Call(msgspec.Struct, frozen=True):
    """A frame's name as the fingerprint knows it, and whether the team's own code runs there."""

    function: str
    module: str
    in_app: bool
    key: str
    """`module:function`."""


_LIBRARY_PATHS = re.compile(
    r"""(?:^|[/\\]) (?:site-packages | dist-packages | node_modules | bower_components
        | \.cargo[/\\]registry | rustc | pkg[/\\]mod | _libs) [/\\]
      # Composer, Go modules and Bundler put libraries there; elsewhere these are words of a trade.
      | (?:^|[/\\])vendor[/\\](?!.*\.(?:pyx?|[cm]?[jt]sx?|vue|rs|java|kts?|scala|cs)(?:$|[?:]))
      | (?:^|[/\\])gems[/\\](?!.*\.(?:pyx?|[cm]?[jt]sx?|vue|rs|java|kts?|scala|cs|php|go)(?:$|[?:]))
      # Cython tells no path of the machine: those that libraries on PyPI were built from
      | ^<?stringsource
      | ^(?:pandas|numpy|scipy|sklearn|asyncpg|uvloop|aiohttp|lxml|h5py|msgpack|gevent|pyarrow|yarl
          |psycopg\w*|cassandra|frozenlist|multidict|spacy|thinc)[/\\].*\.(?:pyx|pxi|pxd)$
      | [/\\]lib(?:64)?[/\\] (?:python\d | ruby | node | go-?\d | jvm | php)
      | [/\\](?:Python3\d+ | Python\d\.\d+)[/\\]lib[/\\] | [/\\]versions[/\\]3\.\d+[/\\]lib
      | ^<(?:frozen | native> | __array_function__ | internal: | builtin)
      | ^internal[/\\:] | ^node: | ^native$
      | ^\[?(?:native\ code | internal\ function | builtins)\]?
      | (?:^|[/\\])webpack[/\\](?:bootstrap | runtime)
      | [/\\]go[/\\]src[/\\](?!.*\.(?:com | org | io | net | dev)[/\\])
      | ^library[/\\](?:std | core | alloc)[/\\] | (?:^|[/\\])src[/\\]libstd
      | (?:^|[/\\])packages[/\\]flutter | ^dart: | ^chrome-extension: """,
    re.VERBOSE | re.IGNORECASE,
)
_LIBRARY_NAMES = re.compile(
    r"""(?: java | javax | jakarta | sun | jdk | com\.sun | kotlin | kotlinx | scala | akka | groovy
      | org\.(?:springframework | apache | hibernate | junit | eclipse | jboss | postgresql | slf4j
          | aspectj | codehaus | gradle | glassfish | mockito | scalatest | thymeleaf | quartz)
      | io\.(?:netty | undertow | vertx | grpc | micrometer | reactivex | lettuce | ktor | quarkus)
      | com\.(?:fasterxml | zaxxer | google\.common | google\.inject | mysql | rabbitmq | squareup)
      | reactor | okhttp3 | retrofit2 | ch\.qos\.logback
      | android | androidx | dalvik | com\.android
      | System | Microsoft | Npgsql | Newtonsoft | MySql | StackExchange | Polly | AutoMapper
      | Xunit | MediatR | Serilog | Grpc | Dapper | Hangfire | NHibernate
      ) \. """,
    re.VERBOSE,
)
_LIBRARY_FUNCTIONS = re.compile(
    r"""(?: runtime | net(?:/\w+)* | sync(?:/\w+)? | reflect | encoding/\w+ | testing | os(?:/\w+)?
      | io | context | database/sql | fmt | errors | time | strconv | bufio | bytes | strings | sort
      | log | syscall | crypto/\w+ | regexp | math(?:/\w+)? | golang\.org/x/[\w/]+
      | google\.golang\.org/\w+ ) \. (?=[A-Za-z(])
      | panic$ | panic\( | created\ by
      | <? (?:core | std | alloc | tokio | futures(?:_\w+)? | hyper | backtrace | panic_unwind
          | test | actix_\w+ | axum | tower(?:_\w+)?) ::
      | rust_begin_unwind | __rust | _?_?libc_start | _start$ | __GI_ | start_thread$ | clone3?$
      | process\.processTicks | processTicksAndRejections | node:internal | Module\._ | Module\.load
      | Promise\.(?:all|any|race|allSettled)\b
      | \{main\}$ """,
    re.VERBOSE,
)
_GO_MODULES = re.compile(r"(?:[\w.-]+/)+[\w.-]+@v")
_JVM_LOADER = re.compile(r"^(?:[\w.-]*//?|[\w.]+@[\w.]+/)(?=[a-z]\w*\.)")
_NAME_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"::h[0-9a-f]{16}$", ""),
        (r"\+0x[0-9a-f]+$", ""),
        (r"\$\$(?:EnhancerBy|FastClassBy|SpringCGLIB)\w*(?:\$\$\w+)*", ""),
        (r"\$\$Lambda(?:\$\d+)?(?:/(?:0x)?\w+)?(?:@\w+)?", "$$Lambda"),
        (r"\blambda\$(\w+?)\$\d+", r"lambda$\1"),
        (r"\$\$?anonfun\$(?:(\w+?)\$)?\d+(?:\$\w+)?", r"$anonfun$\1"),
        (
            r"(GeneratedMethodAccessor|GeneratedConstructorAccessor|\$Proxy|\$jdk\.internal)\d+",
            r"\1",
        ),
        (r"<>c(?:__DisplayClass[\d_]+)?\.", ""),
        (r"<(\w*)>[bdg]__[\w|]+(?:\.MoveNext)?", r"\1"),
        (r"`\d+(?=\[|\.|$)", ""),
        (r"(?:\.func\d+|\.\d+)+(?=$|\()", ".func"),
        (r"-fm$|\.gowrap\d+$|·\w+$", ""),
        (r"\{\{?closure(?:[:#][^}]*)?\}?\}", "{closure}"),
        (r"(?:block|rescue|ensure)(?: \(\d+ levels\))? in ", ""),
        (r" \[as [^\]]*\]$", ""),
        (r"^(?:async|async\*) ", ""),
        (r"/<+$", ""),
        (r"\$\d+(?=\.|$)", "$"),
        (r"@[0-9a-f]{6,}", ""),
    )
)
_ARGUMENTS = re.compile(r"(?<=[\w>\]`)])\((?!\*)[^()]*\)(?:\.\.\.)?$")
_BUNDLE_HASH = re.compile(
    r"""[.-](?: (?=[0-9a-zA-Z_]*\d)[0-9a-zA-Z_]{6,}        # webpack's with a digit
      | [0-9a-f]{8,}                                       # and without
      | (?=\w*[A-Z]) (?=[a-zA-Z]*_) \w{8}                  # Vite's, which no one would write
      | (?=\w{8}\.) (?:[a-z]*[A-Z]+){3,}[a-z]*
      )(?=\.(?:chunk|bundle|min|m?js|js)\b)""",
    re.VERBOSE,
)
_POSITION = re.compile(r"(?::\d+){1,2}$|\(\d+\)$|\?.*$|#.*$")
_HAS_PATH = re.compile(r"[/\\]|^(?:file|webpack|https?):")
_GENERIC = frozenset(
    (
        *("__init__", "__main__", "index", "main", "views", "models", "utils", "tasks", "handlers"),
        *("routes", "page", "mod", "lib", "handler", "layout", "route", "urls", "admin", "helpers"),
    )
)
"""Names that every package has a file of: the folder tells which."""

_ROOTS = frozenset(
    (
        *("", "app", "src", "srv", "code", "workspace", "opt", "home", "root", "lib", "dist"),
        *("build", "usr", "var", "www", "tmp", "release", "releases", "current", "static", "js"),
        "assets",
    )
)
"""Folders that say where something was installed."""

_REMEMBERED = 65_536
_calls: dict[tuple[str, str], Call] = {}


def read_call(frame: Frame) -> Call:
    """The frame without line, path prefix, lambda number, build hash, arguments."""
    key = (frame.function, frame.module)
    call = _calls.get(key)
    if call is None:
        if len(_calls) >= _REMEMBERED:
            _calls.clear()
        function, module = key[0][:500], key[1][:1000]
        name, place = _function_name(function), _module_name(module)
        call = Call(name, place, not _is_library(function, module), f"{place}:{name}")
        _calls[key] = call
    return call


def _function_name(function: str) -> str:
    return _ARGUMENTS.sub("", _plain_name(function)) or "?"


def _module_name(module: str) -> str:
    """Classes and modules as they are, files by their name alone: a prefix never matters.

    A file whose name every package has is known by its folder too.
    """
    name = _POSITION.sub("", _plain_name(module))
    folder = ""
    if _HAS_PATH.search(name):
        path, _, name = name.replace("\\", "/").rstrip("/").rpartition("/")
        if name.partition(".")[0] in _GENERIC:
            folder = _folder(path)
    return folder + (_BUNDLE_HASH.sub("", name) or "?")


def _folder(path: str) -> str:
    """The last folder with its slash, unless it says where and not what: a root, host, release."""
    above, _, folder = path.rpartition("/")
    if folder in _ROOTS or above.rpartition("/")[2] in {"home", "Users"}:
        return ""
    return f"{folder}/" if folder.replace("_", "").replace("-", "").isalpha() else ""


def _plain_name(name: str) -> str:
    """A name as it was written, without what compilers, proxies and loaders add to it."""
    name = _JVM_LOADER.sub("", name.strip())
    for pattern, replacement in _NAME_RULES:
        name = pattern.sub(replacement, name)
    return name


def _is_library(function: str, module: str) -> bool:
    bare_function = _JVM_LOADER.sub("", function)
    bare_module = _JVM_LOADER.sub("", module)
    return bool(
        _LIBRARY_PATHS.search(module)
        or _GO_MODULES.search(module)
        or _LIBRARY_NAMES.match(bare_module)
        or _LIBRARY_NAMES.match(bare_function)
        or _LIBRARY_FUNCTIONS.match(function)
    )
