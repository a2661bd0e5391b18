from pathlib import Path

import pytest

from app.settings import (
    CHECKOUT,
    InvalidSetting,
    Settings,
    describe_settings,
    environment_names,
    load_settings,
)


def test_an_empty_environment_gives_the_defaults() -> None:
    assert load_settings({}) == Settings()


def test_an_empty_value_counts_as_not_set() -> None:
    assert load_settings({"PRODSENTINEL_PORT": ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PRODSENTINEL_PORT", "99999", "<= 65535"),
        ("PRODSENTINEL_PORT", "http", "it should be a whole number"),
        ("PRODSENTINEL_LOG_LEVEL", "loud", "debug, info, warning or error"),
        ("PRODSENTINEL_POOL_SIZE", "0", ">= 2"),
        ("PRODSENTINEL_QUIET_SECONDS", "-1", ">= 0"),
        ("DATABASE_URL", "mysql://host/db", "postgresql://user:password@host:5432/name"),
        ("DATABASE_URL", "not a url", "postgresql://user:password@host:5432/name"),
        ("PRODSENTINEL_PROT", "9000", "did you mean PRODSENTINEL_PORT?"),
        ("PRODSENTINEL_CATALOGUE_DIRS", "/nowhere/at/all", "/nowhere/at/all"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_should_look_like(
    name: str, value: str, says: str
) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load_settings({name: value})

    assert name in str(caught.value)
    assert says in str(caught.value)


def test_what_senders_read_is_no_typo_and_words_take_any_case() -> None:
    found = load_settings({"PRODSENTINEL_URL": "http://x", "PRODSENTINEL_LOG_LEVEL": "INFO"})

    assert found.log_level == "info"


def test_a_password_is_never_shown() -> None:
    with pytest.raises(InvalidSetting) as caught:
        load_settings({"DATABASE_URL": "mysql://user:hunter2@host/db"})

    assert "hunter2" not in str(caught.value)


def test_the_environment_wins_over_the_first_dotenv_found(tmp_path: Path) -> None:
    for name, port in (("first", 1), ("second", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".env").write_text(
            f"PRODSENTINEL_PORT={port}\nPRODSENTINEL_POOL_SIZE=7\n"
        )
    directories = (tmp_path / "none", tmp_path / "first", tmp_path / "second")

    found = load_settings({"PRODSENTINEL_POOL_SIZE": "9"}, directories=directories)

    assert (found.port, found.pool_size) == (1, 9)


def test_env_example_holds_every_setting_with_its_default_and_one_line() -> None:
    lines = (CHECKOUT / ".env.example").read_text().splitlines()
    defaults = {name: getattr(Settings(), field) for field, name in environment_names().items()}

    for name, description in describe_settings().items():
        place = lines.index(f"# {name}={defaults[name]}")
        assert lines[place - 1] == f"# {description}"


def test_the_readme_has_a_row_for_every_setting() -> None:
    readme = (CHECKOUT / "README.md").read_text()

    for name in describe_settings():
        assert f"| `{name}` |" in readme
