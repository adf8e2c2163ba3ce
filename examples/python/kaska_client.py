#!/usr/bin/env python3
"""A tiny Kaska client: create, send, poll, commit, committed. Python 3.8 or newer, no dependency.

Written from docs/protocol.md alone, as the proof that the page is enough. As a library:

    from kaska_client import Client, Message
    with Client("127.0.0.1", 9092) as client:
        client.create_topic("orders")
        client.send("orders", b"hello")
        for message in client.poll({"orders": 0}, wait_ms=1000):
            print(message.offset, message.value)
        client.commit("billing", "orders", 1)

As a program:

    kaska_client.py [--broker HOST:PORT] create TOPIC [PARTITIONS]
    kaska_client.py send TOPIC VALUE [--key KEY] [--header NAME=VALUE]...
    kaska_client.py poll TOPIC [--offset N] [--wait MS] [--partition P]   one line of JSON a message
    kaska_client.py commit NAME TOPIC OFFSET
    kaska_client.py committed NAME TOPIC                                  the offset, or nothing
"""

import argparse
import base64
import json
import os
import socket
import sys
import time
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple, Union

PREAMBLE = b"KSK\x01"

IDENTIFY, CREATE_TOPIC, RESOLVE, INIT_PRODUCER = 3, 4, 8, 10
SEND, POLL, OFFSETS, COMMIT, COMMITTED = 11, 12, 14, 16, 17

PARTITION_FOLLOWS, ONE_RECORD = 0x40, 0x80
COMPRESSION, STAMPED_BY_BROKER, CONTROL = 0x07, 0x08, 0x20

ERRORS = {
    2: "PROTOCOL", 3: "UNSUPPORTED_VERSION", 4: "UNSUPPORTED_OPERATION", 5: "INVALID_TOPIC",
    6: "TOPIC_EXISTS", 7: "UNKNOWN_TOPIC", 8: "UNKNOWN_PARTITION", 9: "OFFSET_OUT_OF_RANGE",
    10: "MESSAGE_TOO_LARGE", 11: "INVALID_MESSAGE", 12: "DISK_FULL", 13: "PARTITION_OFFLINE",
    14: "OUT_OF_ORDER_SEQUENCE", 15: "PRODUCER_FENCED", 16: "UNKNOWN_PRODUCER",
    17: "LOG_TRUNCATED", 18: "INVALID_ARGUMENT", 19: "UNSUPPORTED_COMPRESSION",
    20: "OVERLOADED", 21: "INTERNAL", 22: "NOT_AUTHORIZED",
}


class KaskaError(Exception):
    """What the broker answered instead: `code` is the name in the table of errors."""

    def __init__(self, number: int, text: str, details: List[int]):
        self.code = ERRORS.get(number, "INTERNAL")
        self.details = details
        super().__init__(f"{self.code}: {text}")


Headers = List[Tuple[str, Optional[bytes]]]


class Message(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: Optional[bytes]
    value: Optional[bytes]
    headers: Headers


# Integers.

def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def zigzag(value: int) -> bytes:
    return varint(2 * value if value >= 0 else -2 * value - 1)


def prefixed(data: bytes) -> bytes:
    return varint(len(data)) + data


class Reader:
    """Takes fields from the front of some bytes."""

    def __init__(self, data: bytes):
        self.data = data
        self.position = 0

    @property
    def at_end(self) -> bool:
        return self.position == len(self.data)

    def take(self, length: int) -> bytes:
        end = self.position + length
        if length < 0 or end > len(self.data):
            raise ValueError("the frame ends too early")
        taken = self.data[self.position:end]
        self.position = end
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def zigzag(self) -> int:
        value = self.varint()
        return value // 2 if value % 2 == 0 else -(value + 1) // 2

    def prefixed(self) -> bytes:
        return self.take(self.varint())

    def string(self) -> str:
        return self.prefixed().decode("utf-8")

    def nullable(self) -> Optional[bytes]:
        """A field of a record: its length is zigzag, -1 is null."""
        length = self.zigzag()
        return None if length == -1 else self.take(length)

    def error(self, number: int) -> KaskaError:
        text = self.string()
        return KaskaError(number, text, [self.varint() for _ in range(self.varint())])


# Records.

def encode_record(index: int, delta: int, key: Optional[bytes], value: Optional[bytes],
                  headers: Headers) -> bytes:
    def nullable(data: Optional[bytes]) -> bytes:
        return zigzag(-1) if data is None else zigzag(len(data)) + data

    body = b"\x00" + zigzag(delta) + zigzag(index) + nullable(key) + nullable(value)
    body += zigzag(len(headers))
    for name, header_value in headers:
        body += nullable(name.encode("utf-8")) + nullable(header_value)
    return zigzag(len(body)) + body


class Topic(NamedTuple):
    ref: int
    partitions: int


class Client:
    """One connection, one request at a time."""

    def __init__(self, host: str = "127.0.0.1", port: int = 9092, client_id: str = "python"):
        self.socket = socket.create_connection((host, port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(None)
        self.file = self.socket.makefile("rb")
        self.tag = 0
        self.topics: Dict[str, Topic] = {}
        self.preamble = PREAMBLE
        answer = self.request(IDENTIFY, prefixed(client_id.encode("utf-8")))
        self.software, self.cluster_id = answer.string(), answer.string()
        self.frame_bytes_max = answer.varint()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def create_topic(self, name: str, partitions: int = 1,
                     settings: Optional[Dict[str, str]] = None) -> None:
        fields = os.urandom(16) + varint(partitions) + varint(len(settings or {}))
        for setting, value in (settings or {}).items():
            fields += prefixed(setting.encode("utf-8")) + prefixed(value.encode("utf-8"))
        self.request(CREATE_TOPIC, fields + prefixed(name.encode("utf-8")))

    def send(self, topic: str, value: Optional[bytes], key: Optional[bytes] = None,
             headers: Headers = [], partition: int = 0) -> int:
        """Sends one message and returns its offset."""
        return self.send_batch(topic, [(key, value, headers)], partition)

    def send_batch(self, topic: str,
                   messages: Iterable[Tuple[Optional[bytes], Optional[bytes], Headers]],
                   partition: int = 0) -> int:
        """Sends messages, (key, value, headers) each, and returns the offset of the first."""
        records = [encode_record(index, 0, *message) for index, message in enumerate(messages)]
        flags = (PARTITION_FOLLOWS if partition else 0) | (ONE_RECORD if len(records) == 1 else 0)
        fields = varint(1) + varint(self.resolve(topic).ref) + bytes([flags])
        if partition:
            fields += varint(partition)
        fields += varint(0) + zigzag(int(time.time() * 1000))
        if len(records) != 1:
            fields += varint(len(records))
        answer = self.request(SEND, fields + prefixed(b"".join(records)))
        if answer.status == 1:
            code = answer.varint()
            if code > 1:
                raise answer.error(code)
        return answer.varint()

    def poll(self, positions: Dict[Union[str, Tuple[str, int]], int], wait_ms: int = 0,
             bytes_max: int = 1 << 20) -> List[Message]:
        """Messages from the offsets given on: {"orders": 7} or {("orders", partition): 7}. An
        empty list when there is none within wait_ms."""
        parts, names = b"", {}
        wanted = {}
        for place, offset in positions.items():
            name, partition = (place, 0) if isinstance(place, str) else place
            ref = self.resolve(name).ref
            names[ref] = name
            wanted[ref, partition] = offset
            parts += varint(ref) + bytes([1 if partition else 0])
            parts += (varint(partition) if partition else b"") + varint(offset)
        answer = self.request(POLL, varint(wait_ms) + varint(bytes_max) + varint(len(wanted)) + parts)
        messages: List[Message] = []
        for _ in range(answer.varint()):
            ref, flags = answer.varint(), answer.byte()
            partition = answer.varint() if flags & PARTITION_FOLLOWS else 0
            base_offset, _epoch, timestamp = answer.varint(), answer.varint(), answer.zigzag()
            count, _gap = (1, 0) if flags & ONE_RECORD else (answer.varint(), answer.varint())
            records = Reader(answer.prefixed())
            if flags & CONTROL:
                continue
            if flags & COMPRESSION:
                raise ValueError("this client reads no compressed batches")
            for _ in range(count):
                records.zigzag()  # the record's length
                records.byte()
                delta, offset = records.zigzag(), base_offset + records.zigzag()
                key, value = records.nullable(), records.nullable()
                headers = [((records.nullable() or b"").decode("utf-8"), records.nullable())
                           for _ in range(records.zigzag())]
                if offset < wanted[ref, partition]:
                    continue
                stamp = timestamp if flags & STAMPED_BY_BROKER else timestamp + delta
                messages.append(Message(names[ref], partition, offset, stamp, key, value, headers))
        if not answer.at_end:
            for _ in range(answer.varint()):
                answer.varint(), answer.varint()
                raise answer.error(answer.varint())
        return messages

    def offsets(self, topic: str, partition: int = 0) -> Tuple[int, int]:
        """The first offset that is there, and the next to be given."""
        answer = self.request(OFFSETS, varint(self.resolve(topic).ref) + varint(partition))
        return answer.varint(), answer.varint()

    def commit(self, name: str, topic: str, offset: int, partition: int = 0) -> None:
        entry = varint(self.resolve(topic).ref) + varint(partition) + varint(offset)
        self.request(COMMIT, prefixed(name.encode("utf-8")) + varint(1) + entry)

    def committed(self, name: str, topic: str, partition: int = 0) -> Optional[int]:
        place = varint(self.resolve(topic).ref) + varint(partition)
        answer = self.request(COMMITTED, prefixed(name.encode("utf-8")) + place).varint()
        return None if answer == 0 else answer - 1

    def resolve(self, name: str) -> Topic:
        if name not in self.topics:
            answer = self.request(RESOLVE, varint(1) + prefixed(name.encode("utf-8")))
            ref = answer.varint()
            if ref == 0:
                raise KaskaError(7, f"there is no topic '{name}'", [])
            answer.take(16)
            self.topics[name] = Topic(ref, answer.varint())
        return self.topics[name]

    def request(self, operation: int, fields: bytes = b"") -> "Answer":
        self.tag += 1
        frame = varint(operation) + varint(self.tag) + fields
        self.socket.sendall(self.preamble + varint(len(frame)) + frame)
        self.preamble = b""
        while True:
            answer = Answer(self.read_frame())
            if answer.tag == self.tag:
                break
            if answer.tag == 0 and answer.status > 1:
                raise answer.error(answer.status)
        if answer.status > 1:
            raise answer.error(answer.status)
        return answer

    def read_frame(self) -> bytes:
        length = shift = 0
        while True:
            byte = self.read(1)[0]
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                return self.read(length)
            shift += 7

    def read(self, length: int) -> bytes:
        data = self.file.read(length)
        if len(data) < length:
            raise ConnectionError("the broker closed the connection")
        return data


class Answer(Reader):
    """A response: tag and status are read, the fields follow."""

    def __init__(self, frame: bytes):
        super().__init__(frame)
        self.tag = self.varint()
        self.status = self.varint()


# The command line.

def as_json(message: Message) -> str:
    def text(data: Optional[bytes]) -> object:
        if data is None:
            return None
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(data).decode("ascii")}

    fields = message._asdict()
    fields.update(key=text(message.key), value=text(message.value),
                  headers=[[name, text(value)] for name, value in message.headers])
    return json.dumps(fields)


def main() -> int:
    parser = argparse.ArgumentParser(description="A tiny Kaska client.")
    parser.add_argument("--broker", default="127.0.0.1:9092", metavar="HOST:PORT")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create")
    create.add_argument("topic")
    create.add_argument("partitions", nargs="?", type=int, default=1)
    send = commands.add_parser("send")
    send.add_argument("topic")
    send.add_argument("value")
    send.add_argument("--key")
    send.add_argument("--header", action="append", default=[], metavar="NAME=VALUE")
    send.add_argument("--partition", type=int, default=0)
    poll = commands.add_parser("poll")
    poll.add_argument("topic")
    poll.add_argument("--offset", type=int, default=0)
    poll.add_argument("--wait", type=int, default=0, metavar="MS")
    poll.add_argument("--partition", type=int, default=0)
    commit = commands.add_parser("commit")
    commit.add_argument("name")
    commit.add_argument("topic")
    commit.add_argument("offset", type=int)
    committed = commands.add_parser("committed")
    committed.add_argument("name")
    committed.add_argument("topic")
    options = parser.parse_args()

    host, _, port = options.broker.rpartition(":")
    try:
        with Client(host, int(port)) as client:
            run(client, options)
    except (KaskaError, OSError, ValueError) as error:
        print(f"kaska_client: {error}", file=sys.stderr)
        return 1
    return 0


def run(client: Client, options: argparse.Namespace) -> None:
    if options.command == "create":
        client.create_topic(options.topic, options.partitions)
    elif options.command == "send":
        headers = []
        for header in options.header:
            name, _, value = header.partition("=")
            headers.append((name, os.fsencode(value)))
        key = None if options.key is None else os.fsencode(options.key)
        value = os.fsencode(options.value)
        print(client.send(options.topic, value, key, headers, options.partition))
    elif options.command == "poll":
        place = (options.topic, options.partition)
        for message in client.poll({place: options.offset}, options.wait):
            print(as_json(message))
    elif options.command == "commit":
        client.commit(options.name, options.topic, options.offset)
    elif options.command == "committed":
        offset = client.committed(options.name, options.topic)
        if offset is not None:
            print(offset)


if __name__ == "__main__":
    sys.exit(main())
