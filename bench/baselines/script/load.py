"""Takes messages out of Kafka and puts events into ClickHouse: what many write themselves.

Usage: load.py BROKER TOPIC GROUP HOST PORT DATABASE PROCESSES ROWS

Each process is a consumer of the group. It maps what it reads, sends ROWS rows at once as JSONEachRow, which orjson writes
faster than columns can be made of them, and commits when ClickHouse has them. It attributes nothing.
"""

import hashlib
import multiprocessing
import re
import sys
import time
from decimal import Decimal, InvalidOperation
from functools import lru_cache

import clickhouse_connect
import orjson
from confluent_kafka import Consumer

POSITIVE = set("""signup signups signedup signingup upgrade upgrades upgraded upgrading purchase purchases purchased purchasing
subscribe subscribes subscribed subscribing convert converts converted converting conversion conversions
activate activates activated activating activation activations complete completes completed completing completion completions
ordercomplete ordercompletes ordercompleted ordercompleting ordercompletion ordercompletions""".split())
NEGATIVE = set("""churn churns churned churning cancel cancels canceled cancelled canceling cancelling cancellation cancellations
unsubscribe unsubscribes unsubscribed unsubscribing refund refunds refunded refunding downgrade downgrades downgraded downgrading
delete deletes deleted deleting deletion deletions fail fails failed failing failure failures error errors errored erroring""".split())
INFLUENCES = ("positive", "negative", "neutral")
TYPES = ("currency", "numeric", "text", "boolean")
TIMES = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?").fullmatch
SPLIT = re.compile(r"[\s_\-./:]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])").split
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+").fullmatch
EPOCH = "1970-01-01T00:00:00Z"
NOTHING = {}


@lru_cache(100_000)
def influence_of(name):
    words = [w.lower() for w in SPLIT(name) if w]
    words += [a + b for a, b in zip(words, words[1:])]
    if not NEGATIVE.isdisjoint(words):
        return "negative"
    return "positive" if not POSITIVE.isdisjoint(words) else "neutral"


def number(value):
    """A number as it can be sent: floats by their shortest text, so that they stay what they were in the message."""
    if type(value) is str:
        value = value.strip().lstrip("$€£¥").replace(",", "")
    elif type(value) not in (int, float):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def text(value):
    return value if type(value) is str and value else None


def ident(value):
    return value if type(value) is str and value else str(value) if type(value) in (int, float) else None


def person(context, traits, properties):
    """The address and the name, from wherever they are said first."""
    email = name = None
    for said in (context.get("traits") or NOTHING, traits, properties):
        if email is None and (at := text(said.get("email"))) and ADDRESS(at):
            email = at
        if name is None:
            name = text(said.get("name"))
    return email, name


def company(said):
    c = said.get("company")
    return text(said.get("organization_name")) or text(c.get("name") if type(c) is dict else c)


def time_of(message, received):
    for source in TIMES:
        at = message.get(source)
        if type(at) is str and ISO(at):
            return at, source, at if source in TIMES[:2] else EPOCH
    return received, "edge", EPOCH


def value_of(properties):
    """Value, its type, its text, and the sign of the revenue."""
    revenue = number(properties.get("revenue"))
    sign = 0 if revenue is None else (revenue > 0) - (revenue < 0)
    value, said = revenue, properties.get("revenue")
    if value is None and "price" in properties:
        price, quantity = number(properties["price"]), number(properties.get("quantity"))
        if price is not None and quantity is not None:
            value = said = price * quantity
    kind = None if value is None else "currency"
    given = properties.get("gf_value")
    if given is not None:
        value, said = number(given), given
        kind = properties.get("gf_value_type")
        if kind not in TYPES:
            kind = "text" if value is None else "currency"
    return None if value is None else str(value), kind, None if said is None else str(said), sign


def row_of(record):
    raw = record.value()
    message = orjson.loads(raw)
    headers = dict(record.headers())
    context, traits = message.get("context") or NOTHING, message.get("traits") or NOTHING
    properties = message.get("properties") or NOTHING
    kind = message["type"]
    source = text(message.get("event") if kind == "track" else message.get("name"))
    name = (text(properties.get("gf_event_type")) or source or kind).strip()
    received_us = int.from_bytes(headers["received_at"], "big")
    seconds, micros = divmod(received_us, 1_000_000)
    received = f"{seconds}.{micros // 1000:03d}"
    at, at_source, key_at = time_of(message, received)
    value, value_type, value_text, sign = value_of(properties)
    email, user = person(context, traits, properties)
    influence = properties.get("gf_influence")
    if influence not in INFLUENCES:
        influence = "positive" if sign > 0 else "negative" if sign < 0 else influence_of(name)
    currency = properties.get("currency")
    score = properties.get("gf_quality_impact_score")
    insert_id = ident(message.get("messageId"))
    return {
        "workspace_id": headers["workspace"].decode(),
        "product_id": record.key().decode().partition("\0")[2],
        "connection_id": headers["connection"].decode(),
        "source": headers["provider"].decode(),
        "insert_id": "segment:" + (insert_id or "sha256:" + hashlib.sha256(raw).hexdigest()),
        "message_type": kind,
        "event_type": name,
        "source_event": source,
        "event_at": at,
        "event_at_source": at_source,
        "event_key_at": key_at,
        "received_at": received,
        "external_user_id": ident(message.get("userId")) or ident(message.get("anonymousId")),
        "user_email": email,
        "user_name": user,
        "external_organization_id": ident(context.get("groupId")) or ident(traits.get("organization_id")) or ident(properties.get("organization_id")),
        "organization_name": company(traits) or company(properties),
        "external_conversation_id": ident(properties.get("gf_conversation_id")),
        "influence": influence,
        "quality_impact_score": score if type(score) in (int, float) and -1 <= score <= 1 else None,
        "value": value,
        "value_type": value_type,
        "value_text": value_text,
        "currency": currency.upper() if type(currency) is str and len(currency) == 3 and currency.isascii() and currency.isalpha() else "",
        "properties": orjson.dumps(properties).decode(),
        "kafka_topic": record.topic(),
        "kafka_partition": record.partition(),
        "kafka_offset": record.offset(),
        "version": 2251799813685247 - (received_us - 1577836800000000),
    }


def run(broker, topic, group, host, port, database, rows_each):
    consumer = Consumer({
        "bootstrap.servers": broker, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "partition.assignment.strategy": "range", "queued.min.messages": 100_000, "queued.max.messages.kbytes": 131_072,
        "fetch.message.max.bytes": 4_194_304, "check.crcs": False,
    })
    consumer.subscribe([topic])
    client = clickhouse_connect.get_client(host=host, port=port, database=database, compress=False, settings={
        "async_insert": 0, "date_time_input_format": "best_effort", "optimize_on_insert": 0, "input_format_parallel_parsing": 0,
        "max_insert_block_size": rows_each, "min_insert_block_size_rows": rows_each})
    rows, due = [], time.monotonic() + 1
    while True:
        records = consumer.consume(min(10_000, rows_each - len(rows)), 0.1)
        rows += [row_of(r) for r in records if r.error() is None]
        if len(rows) >= rows_each or rows and time.monotonic() > due:
            client.raw_insert("events", insert_block=b"\n".join(map(orjson.dumps, rows)), fmt="JSONEachRow")
            consumer.commit(asynchronous=False)
            rows, due = [], time.monotonic() + 1


if __name__ == "__main__":
    broker, topic, group, host, port, database, processes, rows_each = sys.argv[1:]
    workers = [multiprocessing.Process(target=run, args=(broker, topic, group, host, int(port), database, int(rows_each)), daemon=True) for _ in range(int(processes))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
