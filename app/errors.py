"""The exceptions of the service. What each means over HTTP stands in `app/problems.py`.

AppError
├── InvalidSetting          (settings)
├── DatabaseUnavailable     (database)
├── ReadersBusy             (database)
├── TookTooLong             (database)
├── NotMigrated             (service)
├── Unmigrated              (store)
├── UnreadableBody          (receive)
├── BodyTooLarge            (receive)
├── BodyTimedOut            (receive)
├── SenderLeft              (receive)
├── PartlyAccepted          (receive)
├── Overloaded              (receive)
├── SenderOverLimit         (receive)
├── SpoolFull               (store)
├── SpoolBroken             (store)
├── UnsupportedBody         (receive)
├── ImpossibleChange        (incidents)
├── InvalidSilence          (incidents)
├── InvalidMove             (incidents)
├── InvalidPrecondition     (preconditions)
├── PreconditionMissing     (preconditions)
├── ChangedMeanwhile        (incidents)
├── InvalidCursor           (query)
├── InvalidSpan             (query)
├── OnlyFailingChains       (query)
├── InvalidSearch           (query)
├── InvalidMoment           (query)
│   └── UnreadableMoment    (query)
├── InvalidRange            (query)
├── TooManyListeners        (query)
├── Unconfirmed             (query)
├── ForgetsAll              (query)
├── InvalidSavedSearch      (query)
├── UnknownColumn           (query)
├── SearchTooSlow           (query)
├── ReaderLeft              (query)
├── ForeignForm             (pages)
├── NotAMatch               (catalogue)
├── JudgedMeanwhile         (catalogue)
├── ServiceUnreachable      (canary)
├── NoAnswer                (ask)
├── Refused                 (ask)
├── InvalidTarget           (alerts)
├── VersionChanged          (alerts)
├── NotDead                 (alerts)
└── NotFound
    ├── UnknownChain        (query)
    ├── RecordsGone         (query)
    ├── UnknownRecord       (query)
    ├── UnknownIncident     (incidents)
    ├── UnknownKnownIssue   (query)
    ├── UnknownSavedSearch  (query)
    ├── UnknownTarget       (alerts)
    ├── UnknownDelivery     (alerts)
    ├── UnknownThreshold    (alerts)
    └── UnknownEntry        (alerts)
"""


class AppError(Exception):
    """Base of every error the service raises on purpose; the docstring is the default message."""

    def __str__(self) -> str:
        return super().__str__() or (type(self).__doc__ or "").partition("\n")[0]


class NotFound(AppError):
    """What was asked for does not exist."""
