import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.InvalidOffsetException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TimeoutException;

/** A Java consumer on its own: where it stands, how it gets there, and what it commits. */
final class ConsumerChecks {
  private final Checks checks;
  private final Clients clients;

  ConsumerChecks(Checks checks, Clients clients) {
    this.checks = checks;
    this.clients = clients;
  }

  void add() {
    checks.check("assign, seek and position", this::seek);
    checks.check("beginning and end offsets", this::ends);
    checks.check("offsets by time", this::times);
    checks.slowCheck("a consumer at the end gets a message at once", this::atTheEnd);
    checks.slowCheck("fetch waits for as many bytes as asked", this::minBytes);
    checks.check("many partitions, paused and resumed", this::manyPartitions);
    checks.check("batches of all kinds in one partition", this::mixed);
    checks.check("read committed", this::readCommitted);
    checks.check("auto.offset.reset", this::reset);
    checks.check("offset out of range", this::outOfRange);
    checks.check("commit and committed", this::commit);
    checks.check("automatic commits", this::autoCommit);
    checks.check("subscription by pattern", this::pattern);
    checks.check("consume: an unknown topic", this::unknown);
    checks.check("consume: an invalid name", this::invalidName);
    checks.check("a topic that is made again starts anew", this::madeAgain);
  }

  private void seek() throws Exception {
    TopicPartition partition = new TopicPartition(clients.newTopic("seek", 1), 0);
    clients.sendNumbers(partition.topic(), 50);
    try (KafkaConsumer<String, String> consumer = clients.consumer("max.poll.records", "10")) {
      consumer.assign(List.of(partition));
      Checks.equal("0", next(consumer), "first value");
      Checks.equal(10L, consumer.position(partition), "position after a poll of 10");
      consumer.seek(partition, 33);
      Checks.equal("33", next(consumer), "value at 33");
      consumer.seek(partition, new OffsetAndMetadata(7, "metadata"));
      Checks.equal("7", next(consumer), "value at 7");
      consumer.seekToEnd(List.of(partition));
      Checks.equal(50L, consumer.position(partition), "position at the end");
      Checks.that(consumer.poll(Duration.ofMillis(300)).isEmpty(), () -> "records after the end");
      Checks.equal(0L, consumer.currentLag(partition).orElse(-1), "lag");
      consumer.seekToBeginning(List.of(partition));
      Checks.equal(0L, consumer.position(partition), "position at the beginning");
    }
  }

  private static String next(KafkaConsumer<String, String> consumer) {
    for (int tries = 0; tries < 300; tries++) {
      for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100)))
        return record.value();
    }
    throw new AssertionError("no record in 30 s");
  }

  private void ends() throws Exception {
    String topic = clients.newTopic("ends", 3);
    clients.sendNumbers(topic, 12);
    try (KafkaConsumer<String, String> consumer = clients.consumer()) {
      List<TopicPartition> partitions = partitionsOf(topic, 3);
      Checks.equal(
          List.of(0L, 0L, 0L),
          inOrder(consumer.beginningOffsets(partitions), partitions),
          "beginnings");
      Checks.equal(
          List.of(12L, 0L, 0L), inOrder(consumer.endOffsets(partitions), partitions), "ends");
      Checks.equal(3, consumer.partitionsFor(topic).size(), "partitions");
      Checks.that(consumer.listTopics().containsKey(topic), () -> "not listed");
    }
  }

  private static List<TopicPartition> partitionsOf(String topic, int count) {
    return IntStream.range(0, count).mapToObj(n -> new TopicPartition(topic, n)).toList();
  }

  private static List<Long> inOrder(
      Map<TopicPartition, Long> offsets, List<TopicPartition> partitions) {
    return partitions.stream().map(offsets::get).toList();
  }

  private void times() throws Exception {
    TopicPartition partition =
        new TopicPartition(clients.newTopic("times", 1, "retention.ms", "-1"), 0);
    long base = 1_600_000_000_000L;
    for (long offset = 0; offset < 10; offset++) {
      clients.send(
          List.of(
              new ProducerRecord<>(partition.topic(), 0, base + offset * 1000, null, "first"),
              new ProducerRecord<>(
                  partition.topic(), 0, base + offset * 1000 + 10, null, "second")),
          "linger.ms",
          "20");
    }
    Map<Long, Long> expected = new HashMap<>();
    expected.put(0L, 0L);
    expected.put(base, 0L);
    expected.put(base + 1, 1L);
    expected.put(base + 10, 1L);
    expected.put(base + 11, 2L);
    expected.put(base + 9000, 18L);
    expected.put(base + 9010, 19L);
    expected.put(base + 9011, null);
    try (KafkaConsumer<String, String> consumer = clients.consumer()) {
      for (Map.Entry<Long, Long> one : expected.entrySet()) {
        OffsetAndTimestamp found =
            consumer.offsetsForTimes(Map.of(partition, one.getKey())).get(partition);
        Long offset = found == null ? null : Long.valueOf(found.offset());
        Checks.equal(one.getValue(), offset, "offset of " + (one.getKey() - base) + " ms");
        if (found == null) continue;
        long time = base + offset / 2 * 1000 + offset % 2 * 10;
        Checks.equal(time, found.timestamp(), "timestamp of offset " + offset);
      }
    }
  }

  private void atTheEnd() throws Exception {
    TopicPartition partition = new TopicPartition(clients.newTopic("at-the-end", 1), 0);
    try (KafkaConsumer<String, String> consumer = clients.consumer("fetch.max.wait.ms", "3000");
        KafkaProducer<String, String> producer = clients.producer()) {
      consumer.assign(List.of(partition));
      consumer.poll(Duration.ofMillis(500));
      for (int n = 0; n < 5; n++) {
        long started = System.nanoTime();
        producer.send(new ProducerRecord<>(partition.topic(), 0, null, "" + n));
        Checks.equal(1, consumer.poll(Duration.ofSeconds(10)).count(), "records");
        long ms = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started);
        Checks.that(ms < 1500, () -> "after " + ms + " ms");
      }
    }
  }

  private void minBytes() throws Exception {
    TopicPartition partition = new TopicPartition(clients.newTopic("min-bytes", 1), 0);
    String[] settings = {"fetch.min.bytes", "5000", "fetch.max.wait.ms", "2000"};
    try (KafkaConsumer<String, String> consumer = clients.consumer(settings)) {
      consumer.assign(List.of(partition));
      clients.sendNumbers(partition.topic(), 1);
      long started = System.nanoTime();
      Checks.equal("0", next(consumer), "value");
      long ms = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started);
      Checks.that(ms > 1000, () -> "too few bytes after " + ms + " ms");
      // The fetch that is under way now is answered once there is enough.
      long sent = System.nanoTime();
      String value = ProducerChecks.text(1, 6000);
      clients.send(List.of(new ProducerRecord<>(partition.topic(), 0, null, value)));
      Checks.equal(value, next(consumer), "value");
      long waited = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - sent);
      Checks.that(waited < 1500, () -> "enough bytes, but " + waited + " ms");
    }
  }

  /** Most partitions have nothing new in most fetches: what a fetch session leaves out. */
  private void manyPartitions() throws Exception {
    String topic = clients.newTopic("many-partitions", 30);
    List<TopicPartition> partitions = partitionsOf(topic, 30);
    try (KafkaConsumer<String, String> consumer = clients.consumer();
        KafkaProducer<String, String> producer = clients.producer()) {
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      for (int round = 0; round < 20; round++) {
        int partition = round * 7 % 30;
        producer.send(new ProducerRecord<>(topic, partition, null, "round " + round)).get();
        Checks.equal(
            List.of("round " + round), Clients.values(Clients.take(consumer, 1)), "values");
      }
      consumer.pause(partitions.subList(0, 15));
      for (int n = 0; n < 30; n++) producer.send(new ProducerRecord<>(topic, n, null, "" + n));
      producer.flush();
      Set<Integer> read =
          Clients.take(consumer, 15).stream()
              .map(ConsumerRecord::partition)
              .collect(Collectors.toSet());
      Checks.equal(IntStream.range(15, 30).boxed().collect(Collectors.toSet()), read, "not paused");
      consumer.resume(consumer.paused());
      read =
          Clients.take(consumer, 15).stream()
              .map(ConsumerRecord::partition)
              .collect(Collectors.toSet());
      Checks.equal(IntStream.range(0, 15).boxed().collect(Collectors.toSet()), read, "resumed");
      consumer.assign(partitions.subList(3, 5));
      producer.send(new ProducerRecord<>(topic, 4, null, "last")).get();
      Checks.equal(
          List.of("last"), Clients.values(Clients.take(consumer, 1)), "after fewer are assigned");
    }
  }

  private void mixed() throws Exception {
    String topic = clients.newTopic("mixed", 1);
    int from = 0;
    for (String type : List.of("gzip", "none", "zstd", "snappy", "lz4", "none")) {
      clients.send(
          Clients.numbers(topic, from, from + 50), "compression.type", type, "linger.ms", "20");
      from += 50;
    }
    List<ConsumerRecord<String, String>> read =
        clients.read(topic, 300, "max.partition.fetch.bytes", "700");
    for (int n = 0; n < 300; n++) {
      Checks.equal((long) n, read.get(n).offset(), "offset");
      Checks.equal("" + n, read.get(n).value(), "value");
    }
    // From the middle of a compressed batch.
    try (KafkaConsumer<String, String> consumer = clients.consumer()) {
      TopicPartition partition = new TopicPartition(topic, 0);
      consumer.assign(List.of(partition));
      consumer.seek(partition, 125);
      Checks.equal("125", next(consumer), "value at 125");
    }
  }

  private void readCommitted() throws Exception {
    String topic = clients.newTopic("read-committed", 1);
    clients.sendNumbers(topic, 10);
    List<ConsumerRecord<String, String>> read =
        clients.read(topic, 10, "isolation.level", "read_committed");
    Checks.equal(10, read.size(), "records");
    try (KafkaConsumer<String, String> consumer =
        clients.consumer("isolation.level", "read_committed")) {
      TopicPartition partition = new TopicPartition(topic, 0);
      Checks.equal(Map.of(partition, 10L), consumer.endOffsets(List.of(partition)), "end");
    }
  }

  private void reset() throws Throwable {
    TopicPartition partition = new TopicPartition(clients.newTopic("reset", 1), 0);
    clients.sendNumbers(partition.topic(), 5);
    Map<String, Long> expected = Map.of("earliest", 0L, "latest", 5L, "by_duration:PT1H", 0L);
    for (Map.Entry<String, Long> one : expected.entrySet()) {
      String[] settings = {"auto.offset.reset", one.getKey(), "group.id", Clients.name("reset")};
      try (KafkaConsumer<String, String> consumer = clients.consumer(settings)) {
        consumer.assign(List.of(partition));
        Checks.equal(one.getValue(), consumer.position(partition), one.getKey());
      }
    }
    String[] settings = {"auto.offset.reset", "none", "group.id", Clients.name("reset")};
    try (KafkaConsumer<String, String> consumer = clients.consumer(settings)) {
      consumer.assign(List.of(partition));
      Checks.fails(
          NoOffsetForPartitionException.class, () -> consumer.poll(Duration.ofSeconds(10)));
    }
  }

  private void outOfRange() throws Throwable {
    TopicPartition partition = new TopicPartition(clients.newTopic("out-of-range", 1), 0);
    clients.sendNumbers(partition.topic(), 5);
    try (KafkaConsumer<String, String> consumer = clients.consumer("auto.offset.reset", "none")) {
      consumer.assign(List.of(partition));
      consumer.seek(partition, 6);
      InvalidOffsetException refused =
          Checks.fails(
              OffsetOutOfRangeException.class,
              () -> {
                for (int tries = 0; tries < 100; tries++) consumer.poll(Duration.ofMillis(100));
              });
      Checks.equal(Set.of(partition), refused.partitions(), "partitions");
    }
    try (KafkaConsumer<String, String> consumer =
        clients.consumer("auto.offset.reset", "earliest")) {
      consumer.assign(List.of(partition));
      consumer.seek(partition, 1000);
      Checks.equal("0", next(consumer), "value after the reset");
    }
  }

  private void commit() throws Throwable {
    String topic = clients.newTopic("commit", 2);
    List<TopicPartition> partitions = partitionsOf(topic, 2);
    String group = Clients.name("commit");
    clients.sendNumbers(topic, 20);
    try (KafkaConsumer<String, String> consumer = clients.consumer("group.id", group)) {
      consumer.assign(partitions);
      Checks.equal(
          null,
          consumer.committed(Set.copyOf(partitions)).get(partitions.get(0)),
          "not yet committed");
      Clients.take(consumer, 20);
      consumer.commitSync();
      consumer.commitSync(Map.of(partitions.get(1), new OffsetAndMetadata(3, "metadata \u00e9")));
      CompletableFuture<Map<TopicPartition, OffsetAndMetadata>> done = new CompletableFuture<>();
      consumer.commitAsync(
          Map.of(partitions.get(0), new OffsetAndMetadata(11)),
          (offsets, failure) -> {
            if (failure == null) done.complete(offsets);
            else done.completeExceptionally(failure);
          });
      while (!done.isDone()) consumer.poll(Duration.ofMillis(50));
      done.get();
    }
    try (KafkaConsumer<String, String> consumer = clients.consumer("group.id", group)) {
      Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(Set.copyOf(partitions));
      Checks.equal(11L, committed.get(partitions.get(0)).offset(), "committed of partition 0");
      Checks.equal(3L, committed.get(partitions.get(1)).offset(), "committed of partition 1");
      Checks.equal("metadata \u00e9", committed.get(partitions.get(1)).metadata(), "metadata");
      consumer.assign(partitions);
      Checks.equal("11", next(consumer), "value at the committed offset");
    }
  }

  private void autoCommit() throws Exception {
    TopicPartition partition = new TopicPartition(clients.newTopic("auto-commit", 1), 0);
    clients.sendNumbers(partition.topic(), 10);
    String[] settings = {"group.id", Clients.name("auto-commit"), "enable.auto.commit", "true"};
    try (KafkaConsumer<String, String> consumer = clients.consumer(settings)) {
      consumer.subscribe(List.of(partition.topic()));
      Clients.take(consumer, 10);
    }
    try (KafkaConsumer<String, String> consumer = clients.consumer(settings)) {
      Checks.equal(
          10L,
          consumer.committed(Set.of(partition)).get(partition).offset(),
          "committed at the close");
    }
  }

  private void pattern() throws Exception {
    String prefix = Clients.name("pattern");
    String[] settings = {"group.id", Clients.name("pattern"), "metadata.max.age.ms", "500"};
    try (KafkaConsumer<String, String> consumer = clients.consumer(settings)) {
      String first = clients.newTopic(prefix + "-yes", 1);
      clients.sendNumbers(first, 1);
      clients.sendNumbers(clients.newTopic(prefix + "-no", 1), 1);
      consumer.subscribe(Pattern.compile(prefix + "-yes.*"));
      Checks.equal(first, Clients.take(consumer, 1).get(0).topic(), "topic");
      consumer.commitSync();
      String second = clients.newTopic(prefix + "-yes", 1);
      clients.sendNumbers(second, 1);
      Checks.equal(second, Clients.take(consumer, 1).get(0).topic(), "topic made later");
    }
  }

  private void unknown() throws Throwable {
    String topic = Clients.name("unknown");
    TopicPartition partition = new TopicPartition(topic, 0);
    Duration brief = Duration.ofSeconds(2);
    try (KafkaConsumer<String, String> consumer = clients.consumer()) {
      Checks.equal(List.of(), consumer.partitionsFor(topic), "partitions");
      Checks.fails(TimeoutException.class, () -> consumer.endOffsets(List.of(partition), brief));
      consumer.assign(List.of(partition));
      Checks.that(consumer.poll(Duration.ofMillis(500)).isEmpty(), () -> "records");
      // It goes on once there is such a topic.
      clients.sendNumbers(topic, 1);
      Checks.equal("0", next(consumer), "value");
    }
  }

  private void invalidName() throws Throwable {
    try (KafkaConsumer<String, String> consumer =
        clients.consumer("group.id", Clients.name("invalid"))) {
      consumer.subscribe(List.of("not/valid"));
      Checks.fails(
          InvalidTopicException.class,
          () -> {
            for (int tries = 0; tries < 100; tries++) consumer.poll(Duration.ofMillis(100));
          });
    }
  }

  /** A reader and a writer of the old topic go on with the new one. */
  private void madeAgain() throws Exception {
    String topic = clients.newTopic("made-again", 1);
    TopicPartition partition = new TopicPartition(topic, 0);
    try (KafkaProducer<String, String> producer = clients.producer("metadata.max.age.ms", "500");
        KafkaConsumer<String, String> consumer = clients.consumer("metadata.max.age.ms", "500")) {
      consumer.assign(List.of(partition));
      for (int n = 0; n < 5; n++)
        producer.send(new ProducerRecord<>(topic, 0, null, "old " + n)).get();
      Clients.take(consumer, 5);
      clients.admin.deleteTopics(List.of(topic)).all().get();
      clients.admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
      Future<RecordMetadata> sent = producer.send(new ProducerRecord<>(topic, 0, null, "new"));
      Checks.equal(0L, sent.get().offset(), "offset in the new topic");
      Checks.equal("new", next(consumer), "value in the new topic");
    }
  }
}
