import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * The clients of one broker, and what every check does with them. Settings are given as name,
 * value, name, value...; names that are made here are used once.
 */
final class Clients implements AutoCloseable {
  private static final AtomicInteger NAMED = new AtomicInteger();
  private static final String RUN =
      Integer.toHexString(ThreadLocalRandom.current().nextInt() & 0xffffff);

  final String bootstrap;
  final Admin admin;

  Clients(String bootstrap) {
    this.bootstrap = bootstrap;
    this.admin =
        Admin.create(settings("default.api.timeout.ms", "20000", "request.timeout.ms", "10000"));
  }

  /** A name that no other check has, for a topic or a group. */
  static String name(String prefix) {
    return prefix + "-" + RUN + "-" + NAMED.incrementAndGet();
  }

  /** A topic for messages of long ago needs to be one that keeps them: retention.ms -1. */
  String newTopic(String prefix, int partitions, String... config) throws Exception {
    NewTopic topic = new NewTopic(name(prefix), Optional.of(partitions), Optional.empty());
    topic.configs(pairs(config));
    admin.createTopics(List.of(topic)).all().get();
    return topic.name();
  }

  KafkaProducer<String, String> producer(String... config) {
    Map<String, Object> settings =
        settings(
            "request.timeout.ms", "10000", "delivery.timeout.ms", "30000", "max.block.ms", "20000");
    settings.putAll(pairs(config));
    return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
  }

  KafkaConsumer<String, String> consumer(String... config) {
    Map<String, Object> settings =
        settings(
            "auto.offset.reset", "earliest",
            "enable.auto.commit", "false",
            "allow.auto.create.topics", "false",
            "default.api.timeout.ms", "20000",
            "heartbeat.interval.ms", "300",
            "session.timeout.ms", "30000",
            "fetch.max.wait.ms", "200");
    settings.putAll(pairs(config));
    return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
  }

  /** Sends them all with one producer, and waits for each. */
  List<RecordMetadata> send(List<ProducerRecord<String, String>> records, String... config)
      throws Exception {
    try (KafkaProducer<String, String> producer = producer(config)) {
      List<Future<RecordMetadata>> sent = records.stream().map(producer::send).toList();
      List<RecordMetadata> results = new ArrayList<>();
      for (Future<RecordMetadata> one : sent) results.add(one.get());
      return results;
    }
  }

  /** Sends values from 0 to count - 1 to partition 0. */
  void sendNumbers(String topic, int count) throws Exception {
    send(numbers(topic, 0, count));
  }

  static List<ProducerRecord<String, String>> numbers(String topic, int from, int to) {
    return IntStream.range(from, to)
        .mapToObj(
            value -> new ProducerRecord<String, String>(topic, 0, null, String.valueOf(value)))
        .toList();
  }

  /** So many records of partition 0 from the beginning, and no more than these. */
  List<ConsumerRecord<String, String>> read(String topic, int count, String... config) {
    try (KafkaConsumer<String, String> consumer = consumer(config)) {
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      consumer.seekToBeginning(consumer.assignment());
      return take(consumer, count);
    }
  }

  static List<ConsumerRecord<String, String>> take(
      KafkaConsumer<String, String> consumer, int count) {
    List<ConsumerRecord<String, String>> taken = new ArrayList<>();
    long deadline = System.nanoTime() + Duration.ofSeconds(Checks.AWAIT_SECONDS).toNanos();
    while (taken.size() < count) {
      Checks.that(
          System.nanoTime() < deadline,
          () -> taken.size() + " records in " + Checks.AWAIT_SECONDS + " s, not " + count);
      consumer.poll(Duration.ofMillis(100)).forEach(taken::add);
    }
    consumer.poll(Duration.ofMillis(50)).forEach(taken::add);
    Checks.equal(count, taken.size(), "records read");
    return taken;
  }

  /** Where partition 0 ends. */
  long endOf(String topic) {
    TopicPartition partition = new TopicPartition(topic, 0);
    try (KafkaConsumer<String, String> consumer = consumer()) {
      return consumer.endOffsets(List.of(partition)).get(partition);
    }
  }

  static List<String> values(Collection<ConsumerRecord<String, String>> records) {
    return records.stream().map(ConsumerRecord::value).toList();
  }

  @Override
  public void close() {
    admin.close(Duration.ofSeconds(5));
  }

  Map<String, Object> settings(String... config) {
    Map<String, Object> settings = new HashMap<>(pairs(config));
    settings.put("bootstrap.servers", bootstrap);
    settings.put("reconnect.backoff.max.ms", "500");
    return settings;
  }

  static Map<String, String> pairs(String... config) {
    Map<String, String> pairs = new HashMap<>();
    for (int index = 0; index < config.length; index += 2)
      pairs.put(config[index], config[index + 1]);
    return pairs;
  }
}
