"""A small catalogue, records of a kitchen at random, and the laws that its incidents obey."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app.catalogue.documents import compile_document
from app.catalogue.matcher import Matcher

GUIDE: Final = """\
# Guide

## Too many cooks {#too-many-cooks}
Source: `kitchen.txt`, "Kitchen"

### Symptoms
Guests complain.

### Causes
The kitchen.

### Fix
Ask the chef.

### Rules

```yaml rule
message: broth spoiled
```

## Slow oven {#slow-oven}
Source: `kitchen.txt`, "Kitchen"

### Symptoms
Guests complain.

### Causes
The kitchen.

### Fix
Ask the chef.

### Rules

```yaml chain-rule
duration: took_ms
slower_than: 500ms
```

## Dish never served {#never-served}
Source: `kitchen.txt`, "Kitchen"

### Symptoms
Guests complain.

### Causes
The kitchen.

### Fix
Ask the chef.

### Rules

```yaml chain-rule
first:
  text: order taken
without:
  text: dish served
within: 60s
```
"""
MATCHER: Final = Matcher(compile_document("guide.md", GUIDE).issues)
HOUR_OF_FIRST: Final = datetime(2026, 11, 20, 6, 50, tzinfo=UTC)
ERRORS: Final = ("broth spoiled", "kettle exploded", "502 from stove", "waiter fell")
HEALTHY: Final = ("plate washed", "order taken", "dish served")
CHAINS: Final = 40

Raw = dict[str, Any]


def record_of(chance: random.Random) -> Raw:
    """A record of a few chains, services and hours: early or late, an error or none."""
    minutes = chance.choice((0, 1, 2, 9, 30, 55, 150, 290))
    at = HOUR_OF_FIRST + timedelta(minutes=minutes, seconds=chance.randrange(60))
    made: Raw = {
        "correlation_id": f"chain-{chance.randrange(CHAINS)}",
        "service": f"service-{chance.randrange(4)}",
        "timestamp": at.isoformat(),
        "environment": chance.choice(("prod", "test")),
        "release": chance.choice(("1.0", "1.1", "2.0")),
        "message": chance.choice(HEALTHY),
    }
    if chance.random() < 0.3:
        made |= {"level": "error", "message": chance.choice(ERRORS)}
    elif chance.random() < 0.3:
        made["attributes"] = {"took_ms": chance.choice((20, 900))}
    elif chance.random() < 0.2:
        made |= {"instance": "one", "sequence": chance.randrange(20)}
    return made


LAWS: Final = {
    "a mark is left over": "SELECT * FROM chain_marks WHERE marked_at <= now()",
    "a failing chain without a row": """
        SELECT DISTINCT correlation_id FROM log_records AS record
        WHERE signature_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM incident_chains AS chain
            WHERE chain.correlation_id = record.correlation_id
        )""",
    "a chain of an incident that is not its root's home": """
        SELECT * FROM incident_chains
        LEFT JOIN incident_roots AS home USING (root_signature_id)
        WHERE incident_chains.incident_id IS DISTINCT FROM home.incident_id""",
    "a home that is no incident, or one that was merged": """
        SELECT * FROM incident_roots LEFT JOIN incidents USING (incident_id)
        WHERE incidents.incident_id IS NULL OR merged_into IS NOT NULL""",
    "an incident without a root": """
        SELECT * FROM incidents WHERE merged_into IS NULL AND NOT EXISTS (
            SELECT FROM incident_roots AS home WHERE home.incident_id = incidents.incident_id
        )""",
    "an hour of nothing": "SELECT * FROM incident_hours WHERE chains <= 0 OR errors < 0",
    "hours of no incident": """
        SELECT incident_id FROM incident_hours EXCEPT SELECT incident_id FROM incidents""",
    "opened twice, or never": """
        SELECT incident_id FROM incidents LEFT JOIN events USING (incident_id)
        GROUP BY incident_id
        HAVING count(*) FILTER (WHERE kind IN ('opened', 'split') AND (
            kind = 'opened' OR details ? 'out_of')) <> 1""",
}
