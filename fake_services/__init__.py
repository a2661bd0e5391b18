"""Three small shop services that fail for real and tell ProdSentinel about it.

    client ──► gateway :8101 ──► payment :8102 ──► inventory :8103

`POST /checkout/{order_id}` walks all three over HTTP. The prefix of the order ID chooses what
happens on the way; every error is raised by the library it is about, never typed in:

| order ID      | where it breaks | what really happens                                           |
|---------------|-----------------|---------------------------------------------------------------|
| `raw-sql-…`   | inventory       | its database check hands `AsyncSession.execute` a plain string|
| `bad-dsn-…`   | inventory       | it gives asyncpg the SQLAlchemy URL `postgresql+asyncpg://…`  |
| `uuid-json-…` | payment         | its receipt puts a `uuid.UUID` through `json.dumps`           |
| `mystery-…`   | payment         | its tax table lacks the country: a fault no catalogue knows   |
| anything else | nowhere         | a good order: 201 with its receipt                            |

A service that breaks answers 500, the services that called it log an error of their own and
answer 502. None of this needs a database: both database faults are raised before connecting.

Start them with `python -m fake_services gateway|payment|inventory`, and let
`python -m fake_services traffic` send orders.

`python -m fake_services scenario list` names the known issues that services of their own can make
happen; see `fake_services.scenarios`.
"""
