"""confluent-kafka (librdkafka), checked: see checks.py."""

import sys

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    TIMESTAMP_CREATE_TIME,
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from checks import check, equal, restart_broker, run_checks, unique, until, wait_for_broker

bootstrap = sys.argv[1]
base = {"bootstrap.servers": bootstrap, "log_level": 0}
admin = AdminClient(base)


def result(futures):
    """The one result of a call to the admin client."""
    [future] = futures.values() if isinstance(futures, dict) else [futures]
    return future.result(15)


def create_topic(partitions=1, **config):
    topic = unique("topic")
    config = {name.replace("_", "."): value for name, value in config.items()}
    result(admin.create_topics([NewTopic(topic, partitions, 1, config=config)]))
    return topic


def send(topic, messages, **config):
    """Sends them; each is what `produce` takes. Raises the first one's error."""
    errors = []
    producer = Producer({**base, "linger.ms": 5, **config})
    for message in messages:
        producer.produce(topic, on_delivery=lambda error, _: error and errors.append(error), **message)
        producer.poll(0)
    producer.flush(30)
    if errors:
        raise KafkaException(errors[0])


def read(topic, count, partition=0, offset=OFFSET_BEGINNING, seconds=15, **config):
    """This many messages from an offset on; fewer if no more come."""
    consumer = Consumer({**base, "group.id": unique("reader"), "fetch.wait.max.ms": 100, **config})
    consumer.assign([TopicPartition(topic, partition, offset)])
    messages = []
    while len(messages) < count:
        message = consumer.poll(seconds)
        if message is None:
            break
        if message.error():
            raise KafkaException(message.error())
        messages.append(message)
    consumer.close()
    return messages


def code_of(call):
    """The code of the error that the call ends with."""
    try:
        call()
    except KafkaException as exception:
        return exception.args[0].code()
    raise AssertionError("it did not fail")


def add_compression(compression):
    @check(f"produce and consume: {compression}")
    def _():
        topic = create_topic()
        values = [f"message {index} ".encode() * 20 for index in range(100)]
        send(topic, [{"value": value} for value in values], **{"compression.type": compression})
        messages = read(topic, 100)
        equal([message.value() for message in messages], values)
        equal([message.offset() for message in messages], list(range(100)))


for each in ["none", "gzip", "snappy", "lz4", "zstd"]:
    add_compression(each)


@check("keys and headers: binary, repeated, null, empty")
def _():
    topic = create_topic()
    headers = [("one", b"\0\xff"), ("twice", b"a"), ("twice", b"b"), ("null", None), ("empty", b"")]
    send(topic, [{"key": b"\0\xff\x80", "value": b"v", "headers": headers, "timestamp": 1700000000123}])
    [message] = read(topic, 1)
    equal(message.key(), b"\0\xff\x80")
    equal(message.headers(), headers)
    equal(message.timestamp(), (TIMESTAMP_CREATE_TIME, 1700000000123))


@check("null and empty values")
def _():
    topic = create_topic()
    send(topic, [{"key": b"k", "value": None}, {"key": b"", "value": b""}, {"value": None}])
    messages = read(topic, 3)
    equal([message.value() for message in messages], [None, b"", None])
    equal([message.key() for message in messages], [b"k", b"", None])


@check("messages of 1 MB")
def _():
    topic = create_topic()
    values = [bytes([fill]) * 999_000 for fill in (1, 2, 3)]
    send(topic, [{"value": value} for value in values])
    assert [message.value() for message in read(topic, 3)] == values


@check("a reader with small limits gets a large message")
def _():
    topic = create_topic()
    send(topic, [{"value": b"x" * 500_000}, {"value": b"end"}])
    limits = {"fetch.message.max.bytes": 1000, "fetch.max.bytes": 1000, "message.max.bytes": 1000}
    sizes = [len(message.value()) for message in read(topic, 2, **limits)]
    equal(sizes, [500_000, 3])


@check("acks: all, leader, none")
def _():
    topic = create_topic()
    for acks in ["all", "1", "0"]:
        send(topic, [{"value": acks.encode()}], acks=acks)
    send(topic, [{"value": b"end"}])
    equal([message.value() for message in read(topic, 4)], [b"all", b"1", b"0", b"end"])


@check("a topic made by its first message")
def _():
    topic = unique("auto")
    send(topic, [{"value": b"first"}])
    equal([message.value() for message in read(topic, 1)], [b"first"])


@check("idempotent producer over a restart of the broker")
def _():
    topic = create_topic()
    errors = []
    producer = Producer({**base, "enable.idempotence": True, "linger.ms": 0, "retry.backoff.ms": 50})
    values = [str(index).encode() for index in range(5000)]
    for index, value in enumerate(values):
        if index == 1000:
            restart_broker("kill")
        producer.produce(topic, value, on_delivery=lambda error, _: error and errors.append(error))
        producer.poll(0.001)
    wait_for_broker()
    equal(producer.flush(40), 0, "unsent")
    equal(errors, [])
    equal([message.value() for message in read(topic, 5000)], values)


@check("offsets: earliest, latest, by time, of the largest timestamp")
def _():
    topic = create_topic()
    start = 1_700_000_000_000
    for at in [0, 1000, 5000, 3000]:
        send(topic, [{"value": b"x", "timestamp": start + at}])

    def at(spec):
        found = result(admin.list_offsets({TopicPartition(topic, 0): spec}))
        return found.offset

    equal(at(OffsetSpec.earliest()), 0)
    equal(at(OffsetSpec.latest()), 4)
    equal(at(OffsetSpec.max_timestamp()), 2)
    equal(at(OffsetSpec.for_timestamp(start + 500)), 1)
    equal(at(OffsetSpec.for_timestamp(start + 5001)), -1)
    consumer = Consumer({**base, "group.id": unique("reader")})
    equal(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10), (0, 4))
    [found] = consumer.offsets_for_times([TopicPartition(topic, 0, start + 1001)], timeout=10)
    equal(found.offset, 2)
    consumer.close()


@check("seek: back, to the end, and out of range")
def _():
    topic = create_topic()
    send(topic, [{"value": str(index).encode()} for index in range(10)])
    equal([message.offset() for message in read(topic, 3, offset=7)], [7, 8, 9])
    equal(read(topic, 1, offset=OFFSET_END, seconds=1), [])
    reset = {"auto.offset.reset": "earliest"}
    equal([message.offset() for message in read(topic, 1, offset=1000, **reset)], [0])
    failing = {"auto.offset.reset": "error"}
    code = code_of(lambda: read(topic, 1, offset=1000, **failing))
    equal(code, KafkaError._AUTO_OFFSET_RESET)


@check("commits: set, list, alter, go on from them")
def _():
    topic = create_topic(2)
    group = unique("group")
    for index in range(20):
        send(topic, [{"value": str(index).encode(), "partition": index % 2}])
    config = {**base, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    consumer = Consumer(config)
    partitions = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
    equal([each.offset for each in consumer.committed(partitions, 10)], [-1001, -1001])
    consumer.commit(offsets=[TopicPartition(topic, 0, 4, "note")], asynchronous=False)
    [zero, one] = consumer.committed(partitions, 10)
    equal((zero.offset, zero.metadata, one.offset), (4, "note", -1001))
    consumer.subscribe([topic])
    seen = set()
    while len(seen) < 16:
        message = consumer.poll(10)
        assert message is not None and not message.error(), message and message.error()
        seen.add((message.partition(), message.offset()))
    equal(seen, {(0, n) for n in range(4, 10)} | {(1, n) for n in range(10)})
    consumer.commit(asynchronous=False)
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 1)])
    [refused] = result(admin.alter_consumer_group_offsets([wanted])).topic_partitions
    equal(refused.error.code(), KafkaError.UNKNOWN_MEMBER_ID, "altered while it has members:")
    consumer.close()
    result(admin.alter_consumer_group_offsets([wanted]))
    listed = result(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    offsets = sorted((each.partition, each.offset) for each in listed.topic_partitions)
    equal(offsets, [(0, 1), (1, 10)])


@check("admin: topics")
def _():
    topic = create_topic(3)
    # Apache Kafka answers before the broker that is asked has heard of it.
    until("the topic", lambda: topic in admin.list_topics(timeout=10).topics)
    listed = admin.list_topics(timeout=10)
    equal(len(listed.topics[topic].partitions), 3)
    again = code_of(lambda: result(admin.create_topics([NewTopic(topic, 3, 1)])))
    equal(again, KafkaError.TOPIC_ALREADY_EXISTS)
    result(admin.create_partitions([NewPartitions(topic, 5)]))
    until("five", lambda: len(admin.list_topics(timeout=10).topics[topic].partitions) == 5)
    fewer = code_of(lambda: result(admin.create_partitions([NewPartitions(topic, 2)])))
    equal(fewer, KafkaError.INVALID_PARTITIONS)
    result(admin.delete_topics([topic]))
    until("it is gone", lambda: topic not in admin.list_topics(timeout=10).topics)


@check("admin: a topic that is made again starts anew")
def _():
    topic = create_topic()
    send(topic, [{"value": b"old"}])
    result(admin.delete_topics([topic]))
    until("it is gone", lambda: topic not in admin.list_topics(timeout=10).topics)
    result(admin.create_topics([NewTopic(topic, 1, 1)]))
    send(topic, [{"value": b"new"}])
    [message] = read(topic, 1)
    equal((message.value(), message.offset()), (b"new", 0))


@check("admin: cluster")
def _():
    cluster = result(admin.describe_cluster())
    [node] = cluster.nodes
    equal(f"{node.host}:{node.port}", bootstrap)
    equal(cluster.controller.id, node.id)
    assert cluster.cluster_id


@check("admin: configs")
def _():
    topic = create_topic(retention_ms="1234567")

    def describe():
        described = result(admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))
        return {name: (entry.value, entry.is_default) for name, entry in described.items()}

    before = describe()
    equal(before["retention.ms"], ("1234567", False))
    equal(before["cleanup.policy"], ("delete", True))
    equal(before["max.message.bytes"], ("1048588", True))

    def alter(name, value, operation):
        entry = ConfigEntry(name, value, incremental_operation=operation)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        result(admin.incremental_alter_configs([resource]))

    alter("max.message.bytes", "2000000", AlterConfigOpType.SET)
    alter("retention.ms", None, AlterConfigOpType.DELETE)
    wanted = ("2000000", False)
    until("it is altered", lambda: describe()["max.message.bytes"] == wanted)
    until("it is deleted", lambda: describe()["retention.ms"] == ("604800000", True))
    wrong = code_of(lambda: alter("no.such.config", "1", AlterConfigOpType.SET))
    equal(wrong, KafkaError.INVALID_CONFIG)
    send(topic, [{"value": bytes(1_500_000)}], **{"message.max.bytes": 3_000_000})
    [broker] = admin.list_topics(timeout=10).brokers
    described = result(admin.describe_configs([ConfigResource(ResourceType.BROKER, str(broker))]))
    assert "num.partitions" in described, list(described)[:20]


@check("admin: groups")
def _():
    topic = create_topic()
    group = unique("group")
    send(topic, [{"value": b"x"}])
    consumer = Consumer({**base, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    assert consumer.poll(15).value() == b"x"
    listed = {each.group_id: each for each in result(admin.list_consumer_groups()).valid}
    equal(listed[group].state, ConsumerGroupState.STABLE)
    described = result(admin.describe_consumer_groups([group]))
    equal(described.state, ConsumerGroupState.STABLE)
    equal(described.partition_assignor, "range")
    [member] = described.members
    equal([each.topic for each in member.assignment.topic_partitions], [topic])
    busy = code_of(lambda: result(admin.delete_consumer_groups([group])))
    equal(busy, KafkaError.NON_EMPTY_GROUP)
    consumer.close()
    empty = ConsumerGroupState.EMPTY
    until("it is empty", lambda: result(admin.describe_consumer_groups([group])).state == empty)
    result(admin.delete_consumer_groups([group]))
    assert group not in {each.group_id for each in result(admin.list_consumer_groups()).valid}
    gone = code_of(lambda: result(admin.delete_consumer_groups([group])))
    equal(gone, KafkaError.GROUP_ID_NOT_FOUND)


@check("admin: delete records")
def _():
    topic = create_topic()
    send(topic, [{"value": str(index).encode()} for index in range(10)])
    deleted = result(admin.delete_records([TopicPartition(topic, 0, 6)]))
    equal(deleted.low_watermark, 6)
    equal([message.offset() for message in read(topic, 4)], [6, 7, 8, 9])
    beyond = code_of(lambda: result(admin.delete_records([TopicPartition(topic, 0, 11)])))
    equal(beyond, KafkaError.OFFSET_OUT_OF_RANGE)


@check("errors: an unknown topic")
def _():
    topic = unique("unknown")
    gone = code_of(lambda: result(admin.delete_topics([topic])))
    equal(gone, KafkaError.UNKNOWN_TOPIC_OR_PART)
    settings = {"allow.auto.create.topics": False, "topic.metadata.propagation.max.ms": 100}
    consumer = Consumer({**base, **settings, "group.id": unique("reader")})
    consumer.subscribe([topic])
    error = consumer.poll(10).error()
    equal(error.code(), KafkaError.UNKNOWN_TOPIC_OR_PART)
    consumer.close()
    assert topic not in admin.list_topics(timeout=10).topics, "and it was not made"


@check("errors: a message that is too large")
def _():
    topic = create_topic()
    large = [{"value": bytes(1_100_000)}]
    code = code_of(lambda: send(topic, large, **{"message.max.bytes": 3_000_000}))
    equal(code, KafkaError.MSG_SIZE_TOO_LARGE)
    send(topic, [{"value": b"small"}])


@check("errors: an invalid name, an invalid setting, too many replicas")
def _():
    def create(name=None, partitions=1, replicas=1, **config):
        topic = NewTopic(name or unique("topic"), partitions, replicas, config=config)
        return code_of(lambda: result(admin.create_topics([topic])))

    equal(create("no/slash"), KafkaError.TOPIC_EXCEPTION)
    equal(create("x" * 250), KafkaError.TOPIC_EXCEPTION)
    equal(create(**{"no.such.config": "1"}), KafkaError.INVALID_CONFIG)
    equal(create(**{"retention.ms": "soon"}), KafkaError.INVALID_CONFIG)
    equal(create(replicas=5), KafkaError.INVALID_REPLICATION_FACTOR)
    equal(create(partitions=0), KafkaError.INVALID_PARTITIONS)


run_checks()
