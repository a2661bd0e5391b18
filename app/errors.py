"""The exceptions of the service. What each means over HTTP stands in `app/problems.py`.

AppError
├── InvalidSetting          (settings)
├── UnreadableBody          (receive)
├── BodyTooLarge            (receive)
├── UnsupportedEncoding     (receive)
├── DatabaseUnavailable     (database)
├── NotFound
│   ├── UnknownChain        (query)
│   ├── UnknownIncident     (query)
│   └── UnknownKnownIssue   (query)
└── BrokenDocument          (catalogue)
"""


class AppError(Exception):
    """Base of every error the service raises on purpose; the docstring is the default message."""

    def __str__(self) -> str:
        return super().__str__() or (type(self).__doc__ or "").partition("\n")[0]


class NotFound(AppError):
    """What was asked for does not exist."""
