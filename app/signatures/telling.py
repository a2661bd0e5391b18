"""Words that tell one message from another, and words that announce a value."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SETTINGS = _words("true false yes no on off null none nil nan undefined enabled disabled unknown")
"""Words that say which of few states holds: they tell texts apart."""

ANNOUNCERS = _words("domain file directory path device name group session")
WHO = _words("user username account login host hostname")
"""Words that announce a value: `user alice`, `host db-a`."""

PREPOSITIONS = _words("for from by of to as with on at in against via into using")

METHODS = _words("GET POST PUT PATCH DELETE HEAD OPTIONS")

TELLING_KEYS = tuple(
    _words(
        "error err errno code reason state status table column relation constraint service db "
        "database dependency type kind level method action operation event result outcome cause "
        "exception class phase stage component module logger signal"
    )
)
"""What stands behind `key=` for these names what happened, or to what."""

TRIED = _words(
    "failed fail fails failing unable trying tried try attempting attempt attempted refused "
    "refusing able want wants need needs unwilling forgot error failure about going"
)
"""Words before `to` and what was tried: `failed to create`, `unable to open`."""

DEPENDENCIES = _words(
    "redis postgres postgresql mysql mariadb oracle sqlite mssql sqlserver mongo mongodb kafka "
    "rabbitmq rabbit nats zookeeper etcd consul vault elastic elasticsearch opensearch solr "
    "cassandra scylla clickhouse memcached minio s3 smtp imap ldap dns nginx haproxy envoy "
    "traefik keycloak stripe paypal twilio sendgrid database cache queue broker db celery "
    "sentry prometheus grafana loki influxdb dynamodb sqs sns pubsub"
)
"""Products and parts that services lean on: which of them failed is the message."""

_OUTCOMES = _words(
    "lost found busy down up ready full empty open shut ok okay unreachable reachable missing "
    "gone dead alive broken taken sent run running invalid valid corrupt healthy unhealthy "
    "available unavailable active inactive success failure error timeout online offline begun "
    "done begin end start stop forbidden hidden written chosen forgotten unwritten frozen stale "
    "fresh slow fast hot cold warm absent present idle creation deletion registration "
    "authentication authorization update removal login logout"
)
_PARTICIPLE = re.compile(r"[a-z-]{3,}(?:ed|ing)")


def is_outcome(word: str) -> bool:
    """`failed`, `succeeded`, `lost`, `unreachable`; a user called `fred` passes for one, too."""
    return word in _OUTCOMES or _PARTICIPLE.fullmatch(word) is not None
