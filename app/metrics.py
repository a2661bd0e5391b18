"""Every metric the service exports; each label takes its values from a closed set."""

from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

# received = accepted + refused + shed, once the requests in flight are answered.
RECORDS_RECEIVED = Counter("prodsentinel_records_received", "Log records read from requests.")
RECORDS_ACCEPTED = Counter(
    "prodsentinel_records_accepted", "Log records stored or spooled, and acknowledged."
)
RECORDS_REFUSED = Counter(
    "prodsentinel_records_refused", "Log records refused, by reason.", ["reason"]
)
RECORDS_SHED = Counter(
    "prodsentinel_records_shed", "Log records dropped under load, as their sender allowed."
)
RECORDS_RESENT = Counter(
    "prodsentinel_records_resent", "Log records accepted that were stored before."
)
RECORDS_SPOOLED = Counter(
    "prodsentinel_records_spooled", "Log records accepted into the local spool."
)
RECORDS_DRAINED = Counter(
    "prodsentinel_records_drained", "Log records moved from the spool into the database."
)
RECORDS_SET_ASIDE = Counter(
    "prodsentinel_records_set_aside",
    "Log records of the spool that the database refused: kept in it for a person to look at.",
)
OUTAGES = Counter("prodsentinel_outages", "Times the database did not take records in time.")
INGEST_REQUESTS = Counter(
    "prodsentinel_ingest_requests", "Requests that brought telemetry, by HTTP status.", ["status"]
)
INGEST_SECONDS = Histogram(
    "prodsentinel_ingest_seconds",
    "From the head of a request with telemetry to its answer.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
BYTES_IN_FLIGHT = Gauge(
    "prodsentinel_bytes_in_flight", "Bytes of requests between arrival and commit."
)
COMMIT_SECONDS = Histogram(
    "prodsentinel_commit_seconds",
    "From the start of a batch's transaction to its commit.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
BATCH_RECORDS = Histogram(
    "prodsentinel_batch_records",
    "Log records in one batch.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000),
)
SIGNATURES = Counter("prodsentinel_signatures_seen", "Signatures seen for the first time.")
MATCHES = Counter(
    "prodsentinel_matches", "Signatures held against the catalogue, by tier.", ["tier"]
)
INCIDENTS_OPENED = Counter("prodsentinel_incidents_opened", "Incidents opened.")
INCIDENTS_OPEN = Gauge("prodsentinel_incidents_open", "Incidents not resolved.")
INCIDENTS_REGRESSED = Counter(
    "prodsentinel_incidents_regressed", "Incidents that came back after they were resolved."
)
RECORDS_MISSING = Counter(
    "prodsentinel_records_missing",
    "Log records that their sender numbered and that had not come half a minute later.",
)
CHAINS_DIGESTED = Counter("prodsentinel_chains_digested", "Failing chains digested.")
DIGEST_FAILURES = Counter("prodsentinel_digest_failures", "Rounds of the digest that failed.")
CANARY_RECORDS = Counter(
    "prodsentinel_canary_records", "Log records of the canary, by what became of them.", ["outcome"]
)
CANARY_READABLE_SECONDS = Histogram(
    "prodsentinel_canary_readable_seconds",
    "From the 202 of a canary's record to the answer that showed it.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
CANARY_LAST_SUCCESS = Gauge(
    "prodsentinel_canary_last_success_timestamp_seconds",
    "When the canary last read back a whole chain in time; epoch seconds, 0: never.",
)
CANARY_FAILURES = Counter(
    "prodsentinel_canary_failures", "Times the canary itself failed and began again."
)
ALERT_DELIVERIES = Counter(
    "prodsentinel_alert_deliveries",
    "Attempts to deliver a message, by outcome; collapsed ones are counted in a summary.",
    ["outcome"],
)
ALERTS_DEAD = Gauge(
    "prodsentinel_alerts_dead", "Messages given up; a person may have them tried again."
)
ALERT_OLDEST_WAITING_SECONDS = Gauge(
    "prodsentinel_alert_oldest_waiting_seconds",
    "Age of the oldest event or message that waits, during quiet hours too; 0: none waits.",
)
ALERT_FAILURES = Counter(
    "prodsentinel_alert_failures", "Rounds of the alerts that failed by themselves.", ["work"]
)
LIVE_LISTENERS = Gauge("prodsentinel_live_listeners", "Listeners of the live tail.")
LIVE_SKIPPED = Counter(
    "prodsentinel_live_skipped",
    "Log records that listeners of the live tail were only told the number of.",
)
PARTITIONS = Gauge("prodsentinel_partitions", "Partitions of the log records, the default one too.")
OLDEST_PARTITION_DAYS = Gauge(
    "prodsentinel_oldest_partition_days", "How many days ago the oldest partition's day was."
)
STORED_BYTES = Gauge("prodsentinel_stored_bytes", "Bytes of log records, with their indexes.")
DEFAULT_PARTITION_RECORDS = Gauge(
    "prodsentinel_default_partition_records",
    "Log records outside of every daily partition (clocks far off), counted up to 100,000.",
)
TEXT_INDEXES_MISSING = Gauge(
    "prodsentinel_text_indexes_missing", "Text indexes that closed partitions do not have yet."
)
PARTITIONS_DROPPED = Counter(
    "prodsentinel_partitions_dropped", "Partitions dropped, by what they were over.", ["reason"]
)
MAINTENANCE_FAILURES = Counter(
    "prodsentinel_maintenance_failures", "Rounds of maintenance that failed or left work undone."
)
MAINTENANCE_LAST_SUCCESS = Gauge(
    "prodsentinel_maintenance_last_success_timestamp_seconds",
    "When a round of maintenance of this process last ended well.",
)
DB_CONNECTIONS_USED = Gauge("db_connections_used", "Database connections in use.")


@get("/metrics", operation_id="readMetrics", media_type="text/plain")
async def read_metrics() -> Response[str]:
    """What Prometheus scrapes."""
    text = generate_latest().decode()
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})
