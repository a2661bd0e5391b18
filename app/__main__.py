"""`python -m app` is `prodsentinel`."""

from app.cli import main

main()
