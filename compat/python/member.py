"""A group member on confluent-kafka: see compat/node/group-member.ts. It commits each message once it has
processed it."""

import json
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException

bootstrap, topic, group, instance_id, assignor, session_ms = sys.argv[1:7]


def tell(**fields):
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def tell_of(kind, message):
    tell(**{kind: message.value().decode(), "at": time.monotonic() * 1000})


config = {
    "bootstrap.servers": bootstrap,
    "group.id": group,
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "session.timeout.ms": int(session_ms),
    "heartbeat.interval.ms": 300,
    "fetch.wait.max.ms": 100,
    "reconnect.backoff.max.ms": 500,
}
if instance_id:
    config["group.instance.id"] = instance_id
if assignor:
    config["partition.assignment.strategy"] = assignor

consumer = Consumer(config)
assigned = set()
# By partition, what is processed and not committed yet: during a rebalance a commit is refused.
pending = {}
is_leaving = threading.Event()


def gained(_, partitions):
    assigned.update(each.partition for each in partitions)
    tell(assigned=sorted(assigned))


def lost(_, partitions):
    for each in partitions:
        assigned.discard(each.partition)
        pending.pop(each.partition, None)
    tell(assigned=sorted(assigned))


def commit_pending():
    for partition, messages in list(pending.items()):
        try:
            consumer.commit(message=messages[-1], asynchronous=False)
        except KafkaException as error:
            sys.stderr.write(f"{error}\n")
            continue
        pending.pop(partition, None)
        for message in messages:
            tell_of("committed", message)


def wait_to_leave():
    sys.stdin.readline()
    is_leaving.set()


threading.Thread(target=wait_to_leave, daemon=True).start()
consumer.subscribe([topic], on_assign=gained, on_revoke=lost, on_lost=lost)
while not is_leaving.is_set():
    message = consumer.poll(0.1)
    if message is not None and not message.error():
        tell_of("got", message)
        pending.setdefault(message.partition(), []).append(message)
    commit_pending()
consumer.close()
