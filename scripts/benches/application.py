"""The service as an application factory, for servers other than the one it runs on."""

import os

from litestar import Litestar

from app.logging import configure_logging
from app.main import create_app
from app.settings import load_settings


def make() -> Litestar:
    """From environment variables, as `prodsentinel serve` makes it."""
    settings = load_settings(os.environ)
    configure_logging(settings)
    return create_app(settings)
