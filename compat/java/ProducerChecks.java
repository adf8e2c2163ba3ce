import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;

/** What the Java producer sends is what a consumer reads. */
final class ProducerChecks {
  private final Checks checks;
  private final Clients clients;

  ProducerChecks(Checks checks, Clients clients) {
    this.checks = checks;
    this.clients = clients;
  }

  void add() {
    for (String type : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      checks.check("produce and consume: " + type, () -> compression(type));
    }
    checks.check("keys, headers, null and empty values", this::fields);
    checks.check("messages of 1 MB", this::large);
    for (String acks : List.of("0", "1", "all")) {
      checks.check("produce with acks " + acks, () -> acks(acks));
    }
    checks.check("partitions by key", this::partitions);
    checks.check("timestamps of the producer", this::createTime);
    checks.check("timestamps of the broker", this::appendTime);
    checks.check("a topic is made by producing to it", this::autoCreated);
    checks.check("too large for the topic", this::tooLarge);
    checks.check("produce: an invalid name", this::invalidName);
    checks.check("produce: an unknown partition", this::unknownPartition);
    checks.slowCheck(
        "idempotence over a restart of the broker", () -> restart(checks::restartBroker));
    checks.slowCheck("idempotence over a kill of the broker", () -> restart(checks::killBroker));
    checks.check("a transaction commits, or is refused", this::transaction);
  }

  private void compression(String type) throws Exception {
    String topic = clients.newTopic("compression", 1);
    List<ProducerRecord<String, String>> records =
        IntStream.range(0, 500)
            .mapToObj(n -> new ProducerRecord<>(topic, 0, "key " + n, "value " + "v".repeat(n) + n))
            .toList();
    List<RecordMetadata> sent = clients.send(records, "compression.type", type, "linger.ms", "20");
    for (int n = 0; n < 500; n++) Checks.equal((long) n, sent.get(n).offset(), "offset sent");
    List<ConsumerRecord<String, String>> read = clients.read(topic, 500);
    for (int n = 0; n < 500; n++) {
      Checks.equal((long) n, read.get(n).offset(), "offset read");
      Checks.equal(records.get(n).key(), read.get(n).key(), "key");
      Checks.equal(records.get(n).value(), read.get(n).value(), "value");
    }
  }

  private void fields() throws Exception {
    String topic = clients.newTopic("fields", 1);
    List<Header> headers =
        List.of(
            new RecordHeader("same", "one".getBytes()),
            new RecordHeader("same", "two".getBytes()),
            new RecordHeader("null", (byte[]) null),
            new RecordHeader("empty", new byte[0]),
            new RecordHeader("", "no name".getBytes()),
            new RecordHeader("same", "\0\u00ff".getBytes("ISO-8859-1")));
    List<ProducerRecord<String, String>> records =
        List.of(
            new ProducerRecord<>(topic, 0, "key", "value", headers),
            new ProducerRecord<>(topic, 0, null, "no key"),
            new ProducerRecord<>(topic, 0, "", "empty key"),
            new ProducerRecord<>(topic, 0, "no value", null),
            new ProducerRecord<>(topic, 0, "empty value", ""),
            new ProducerRecord<>(topic, 0, null, null),
            new ProducerRecord<>(topic, 0, "\u00e9\ud83d\ude00\0", "\0\n\u20ac"));
    clients.send(records, "linger.ms", "20");
    List<ConsumerRecord<String, String>> read = clients.read(topic, records.size());
    for (int n = 0; n < records.size(); n++) {
      Checks.equal(records.get(n).key(), read.get(n).key(), "key");
      Checks.equal(records.get(n).value(), read.get(n).value(), "value");
    }
    Checks.equal(shown(headers), shown(read.get(0).headers()), "headers");
    Checks.equal(List.of(), shown(read.get(1).headers()), "no headers");
  }

  private static List<String> shown(Iterable<Header> headers) {
    return StreamSupport.stream(headers.spliterator(), false)
        .map(header -> header.key() + "=" + Arrays.toString(header.value()))
        .toList();
  }

  private void large() throws Exception {
    String topic = clients.newTopic("large", 1);
    List<String> values = IntStream.range(0, 8).mapToObj(seed -> text(seed, 1_000_000)).toList();
    clients.send(
        values.stream()
            .map(value -> new ProducerRecord<String, String>(topic, 0, null, value))
            .toList(),
        "max.request.size",
        "2000000");
    List<String> read = Clients.values(clients.read(topic, 8));
    for (int n = 0; n < 8; n++)
      Checks.that(values.get(n).equals(read.get(n)), () -> "another value");
    // A message that is larger than what is asked for is sent all the same.
    read =
        Clients.values(
            clients.read(topic, 8, "max.partition.fetch.bytes", "1000", "fetch.max.bytes", "1000"));
    for (int n = 0; n < 8; n++)
      Checks.that(values.get(n).equals(read.get(n)), () -> "another value");
  }

  private void acks(String acks) throws Exception {
    String topic = clients.newTopic("acks", 1);
    List<RecordMetadata> sent =
        clients.send(Clients.numbers(topic, 0, 100), "acks", acks, "enable.idempotence", "false");
    for (int n = 0; n < 100; n++) {
      Checks.equal(acks.equals("0") ? -1L : n, sent.get(n).offset(), "offset sent");
    }
    List<String> read = Clients.values(clients.read(topic, 100));
    Checks.equal(IntStream.range(0, 100).mapToObj(String::valueOf).toList(), read, "values");
  }

  private void partitions() throws Exception {
    String topic = clients.newTopic("partitions", 4);
    List<ProducerRecord<String, String>> records =
        IntStream.range(0, 200)
            .mapToObj(n -> new ProducerRecord<>(topic, "key " + n % 20, "" + n))
            .toList();
    List<RecordMetadata> sent = clients.send(records);
    for (int n = 20; n < 200; n++) {
      Checks.equal(
          sent.get(n - 20).partition(), sent.get(n).partition(), "partition of the same key");
    }
    try (KafkaProducer<String, String> producer = clients.producer()) {
      Checks.equal(4, producer.partitionsFor(topic).size(), "partitions of the topic");
    }
    Checks.equal(
        4L, sent.stream().map(RecordMetadata::partition).distinct().count(), "partitions used");
  }

  private void createTime() throws Exception {
    String topic = clients.newTopic("create-time", 1, "retention.ms", "-1");
    List<Long> times = List.of(1_500_000_000_000L, 1_400_000_000_000L, 0L, 1_600_000_000_000L);
    List<RecordMetadata> sent =
        clients.send(
            times.stream()
                .map(time -> new ProducerRecord<String, String>(topic, 0, time, null, ""))
                .toList(),
            "linger.ms",
            "20");
    List<ConsumerRecord<String, String>> read = clients.read(topic, 4);
    Checks.equal(times, read.stream().map(ConsumerRecord::timestamp).toList(), "timestamps");
    Checks.equal(TimestampType.CREATE_TIME, read.get(0).timestampType(), "type");
    Checks.equal(
        times, sent.stream().map(RecordMetadata::timestamp).toList(), "timestamps acknowledged");
  }

  private void appendTime() throws Exception {
    String topic = clients.newTopic("append-time", 1, "message.timestamp.type", "LogAppendTime");
    long before = System.currentTimeMillis();
    List<RecordMetadata> sent =
        clients.send(List.of(new ProducerRecord<>(topic, 0, 1_500_000_000_000L, null, "")));
    long after = System.currentTimeMillis();
    ConsumerRecord<String, String> read = clients.read(topic, 1).get(0);
    Checks.equal(TimestampType.LOG_APPEND_TIME, read.timestampType(), "type");
    Checks.that(
        read.timestamp() >= before && read.timestamp() <= after, () -> "at " + read.timestamp());
    Checks.equal(read.timestamp(), sent.get(0).timestamp(), "timestamp acknowledged");
  }

  private void autoCreated() throws Exception {
    String topic = Clients.name("auto-created");
    clients.sendNumbers(topic, 1);
    Checks.equal(List.of("0"), Clients.values(clients.read(topic, 1)), "values");
  }

  private void tooLarge() throws Throwable {
    String topic = clients.newTopic("too-large", 1);
    try (KafkaProducer<String, String> producer =
        clients.producer("max.request.size", "10000000")) {
      Future<RecordMetadata> large =
          producer.send(new ProducerRecord<>(topic, 0, null, text(1, 2_000_000)));
      Checks.fails(RecordTooLargeException.class, large::get);
      Checks.equal(
          0L,
          producer.send(new ProducerRecord<>(topic, 0, null, "small")).get().offset(),
          "offset");
    }
  }

  private void invalidName() throws Throwable {
    try (KafkaProducer<String, String> producer = clients.producer()) {
      Checks.fails(
          InvalidTopicException.class,
          () -> producer.send(new ProducerRecord<>("not/valid", "value")).get());
    }
  }

  private void unknownPartition() throws Throwable {
    String topic = clients.newTopic("one-partition", 1);
    try (KafkaProducer<String, String> producer = clients.producer("max.block.ms", "1000")) {
      Checks.fails(
          TimeoutException.class,
          () -> producer.send(new ProducerRecord<>(topic, 1, null, "value")).get());
    }
  }

  /** Messages are on their way when the broker goes, and when it comes back. */
  private void restart(Checks.Body restartBroker) throws Throwable {
    String topic = clients.newTopic("restart", 1);
    int count = 4000;
    String[] settings = {"batch.size", "200", "linger.ms", "1", "delivery.timeout.ms", "90000"};
    try (KafkaProducer<String, String> producer = clients.producer(settings)) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      Thread sender =
          new Thread(
              () -> {
                for (ProducerRecord<String, String> record : Clients.numbers(topic, 0, count)) {
                  sent.add(producer.send(record));
                  if (sent.size() % 8 == 0) sleep(2);
                }
              });
      sender.start();
      Thread.sleep(100);
      restartBroker.run();
      sender.join();
      for (int n = 0; n < count; n++) Checks.equal((long) n, sent.get(n).get().offset(), "offset");
    }
    List<String> read = Clients.values(clients.read(topic, count));
    Checks.equal(IntStream.range(0, count).mapToObj(String::valueOf).toList(), read, "values");
  }

  private void transaction() throws Exception {
    String topic = clients.newTopic("transaction", 1);
    String[] settings = {"transactional.id", Clients.name("transactional")};
    try (KafkaProducer<String, String> producer = clients.producer(settings)) {
      producer.initTransactions();
      producer.beginTransaction();
      producer.send(new ProducerRecord<>(topic, 0, null, "value")).get();
      producer.commitTransaction();
    } catch (KafkaException refused) {
      Checks.that(
          !(refused instanceof TimeoutException), () -> "neither served nor refused: " + refused);
      Checks.equal(0L, clients.endOf(topic), "end of the topic");
      return;
    }
    Checks.equal(List.of("value"), Clients.values(clients.read(topic, 1)), "values");
  }

  static String text(int seed, int length) {
    Random random = new Random(seed);
    StringBuilder text = new StringBuilder(length);
    while (text.length() < length) text.append((char) ('a' + random.nextInt(26)));
    return text.toString();
  }

  private static void sleep(long ms) {
    try {
      Thread.sleep(ms);
    } catch (InterruptedException interrupted) {
      throw new IllegalStateException(interrupted);
    }
  }
}
