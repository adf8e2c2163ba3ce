import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConfigEntry.ConfigSource;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.UnsupportedVersionException;

/**
 * What the Java admin client asks of topics, their configuration, their records, and the broker.
 */
final class AdminChecks {
  private final Checks checks;
  private final Clients clients;
  private final Admin admin;

  AdminChecks(Checks checks, Clients clients) {
    this.checks = checks;
    this.clients = clients;
    this.admin = clients.admin;
  }

  void add() {
    checks.check("create, list, describe and delete topics", this::topics);
    checks.check("create topics: what is refused", this::createRefused);
    checks.check("create topics: only validated", this::validated);
    checks.check("create partitions", this::partitions);
    checks.check("topic ids", this::topicIds);
    checks.check("describe the configuration of a topic", this::describeConfig);
    checks.check("alter the configuration of a topic", this::alterConfig);
    checks.check("alter configuration: what is refused", this::alterRefused);
    checks.check("describe the configuration of the broker", this::brokerConfig);
    checks.check("list offsets", this::listOffsets);
    checks.check("delete records", this::deleteRecords);
    checks.check("describe the cluster", this::cluster);
    checks.check("describe producers, or not offered", this::producers);
    checks.check("access control lists: none, or not offered", this::acls);
  }

  private void topics() throws Throwable {
    String one = clients.newTopic("admin", 1);
    String three = clients.newTopic("admin", 3, "retention.ms", "1234567");
    // Apache Kafka answers before the broker that is asked has heard of it.
    Checks.await("both are listed", () -> listed().containsAll(List.of(one, three)));
    Map<String, TopicDescription> all =
        admin.describeTopics(List.of(one, three)).allTopicNames().get();
    Checks.equal(1, all.get(one).partitions().size(), "partitions");
    TopicDescription described = all.get(three);
    Checks.equal(3, described.partitions().size(), "partitions");
    Checks.equal(false, described.isInternal(), "internal");
    for (var partition : described.partitions()) {
      Checks.that(partition.leader() != null, () -> "no leader");
      Checks.equal(List.of(partition.leader()), partition.replicas(), "replicas");
      Checks.equal(partition.replicas(), partition.isr(), "in-sync replicas");
    }
    admin.deleteTopics(List.of(one)).all().get();
    Checks.await("it is listed no more", () -> !listed().contains(one));
    Checks.fails(
        UnknownTopicOrPartitionException.class,
        () -> admin.describeTopics(List.of(one)).allTopicNames().get());
    Checks.fails(
        UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of(one)).all().get());
  }

  private Set<String> listed() {
    try {
      return admin.listTopics().names().get();
    } catch (Exception failure) {
      throw new IllegalStateException(failure);
    }
  }

  private void createRefused() throws Throwable {
    String exists = clients.newTopic("exists", 1);
    refused(TopicExistsException.class, new NewTopic(exists, 1, (short) 1));
    refused(InvalidPartitionsException.class, new NewTopic(Clients.name("zero"), 0, (short) 1));
    refused(
        InvalidReplicationFactorException.class,
        new NewTopic(Clients.name("factor"), 1, (short) 3));
    refused(
        InvalidReplicationFactorException.class,
        new NewTopic(Clients.name("factor"), 1, (short) 0));
    refused(InvalidTopicException.class, new NewTopic("not/valid", 1, (short) 1));
    refused(InvalidTopicException.class, new NewTopic("..", 1, (short) 1));
    refused(InvalidTopicException.class, new NewTopic("x".repeat(250), 1, (short) 1));
    for (Map<String, String> config :
        List.of(
            Map.of("no.such.setting", "1"),
            Map.of("retention.ms", "soon"),
            Map.of("cleanup.policy", "burn"),
            Map.of("max.message.bytes", "-1"))) {
      refused(
          InvalidConfigurationException.class,
          new NewTopic(Clients.name("config"), 1, (short) 1).configs(config));
    }
  }

  private void refused(Class<? extends Throwable> type, NewTopic topic) throws Throwable {
    Checks.fails(type, () -> admin.createTopics(List.of(topic)).all().get());
  }

  private void validated() throws Exception {
    String name = Clients.name("validated");
    CreateTopicsResult result =
        admin.createTopics(
            List.of(
                new NewTopic(name, Optional.of(2), Optional.empty())
                    .configs(Map.of("segment.bytes", "2000000"))),
            new CreateTopicsOptions().validateOnly(true));
    Checks.equal(2, result.numPartitions(name).get(), "partitions");
    Checks.equal(
        "2000000", result.config(name).get().get("segment.bytes").value(), "segment.bytes");
    Checks.that(!admin.listTopics().names().get().contains(name), () -> "it was made");
  }

  private void partitions() throws Throwable {
    String topic = clients.newTopic("grows", 1);
    clients.sendNumbers(topic, 3);
    admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all().get();
    Checks.equal(
        4,
        admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size(),
        "partitions");
    clients.send(List.of(new ProducerRecord<>(topic, 3, null, "new")));
    Checks.equal(3, clients.read(topic, 3).size(), "records of partition 0");
    for (int count : new int[] {4, 2, 0}) {
      Checks.fails(
          InvalidPartitionsException.class,
          () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(count))).all().get());
    }
    Checks.fails(
        UnknownTopicOrPartitionException.class,
        () ->
            admin
                .createPartitions(Map.of(Clients.name("unknown"), NewPartitions.increaseTo(2)))
                .all()
                .get());
  }

  private void topicIds() throws Throwable {
    String name = clients.newTopic("id", 1);
    Uuid id = idOf(name);
    Checks.that(!id.equals(Uuid.ZERO_UUID), () -> "a zero id");
    Map<Uuid, TopicDescription> described =
        admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get();
    Checks.equal(name, described.get(id).name(), "name of the id");
    admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
    Checks.fails(
        UnknownTopicIdException.class,
        () -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get());
    Checks.fails(
        UnknownTopicIdException.class,
        () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get());
    admin.createTopics(List.of(new NewTopic(name, 1, (short) 1))).all().get();
    Checks.that(!idOf(name).equals(id), () -> "the id of the old topic");
  }

  private Uuid idOf(String topic) throws Exception {
    return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).topicId();
  }

  private static ConfigResource resource(String topic) {
    return new ConfigResource(ConfigResource.Type.TOPIC, topic);
  }

  private Config configOf(String topic) throws Exception {
    return admin.describeConfigs(List.of(resource(topic))).all().get().get(resource(topic));
  }

  private void describeConfig() throws Throwable {
    Config config = configOf(clients.newTopic("config", 1, "retention.ms", "86400000"));
    Map<String, String> defaults =
        Map.of(
            "cleanup.policy", "delete",
            "retention.bytes", "-1",
            "max.message.bytes", "1048588",
            "message.timestamp.type", "CreateTime",
            "segment.bytes", "1073741824",
            "segment.ms", "604800000",
            "compression.type", "producer");
    defaults.forEach(
        (name, value) -> {
          Checks.that(config.get(name) != null, () -> "no " + name);
          Checks.equal(value, config.get(name).value(), name);
          Checks.equal(ConfigSource.DEFAULT_CONFIG, config.get(name).source(), "source of " + name);
        });
    ConfigEntry retention = config.get("retention.ms");
    Checks.equal("86400000", retention.value(), "retention.ms");
    Checks.equal(ConfigSource.DYNAMIC_TOPIC_CONFIG, retention.source(), "source of retention.ms");
    Checks.equal(ConfigEntry.ConfigType.LONG, retention.type(), "type of retention.ms");
    Checks.fails(UnknownTopicOrPartitionException.class, () -> configOf(Clients.name("unknown")));
  }

  private void alter(String topic, AlterConfigOp... operations) throws Exception {
    Collection<AlterConfigOp> all = Arrays.asList(operations);
    admin.incrementalAlterConfigs(Map.of(resource(topic), all)).all().get();
  }

  private static AlterConfigOp operation(OpType type, String name, String value) {
    return new AlterConfigOp(new ConfigEntry(name, value), type);
  }

  private void alterConfig() throws Throwable {
    String topic = clients.newTopic("alter", 1, "retention.ms", "86400000");
    alter(
        topic,
        operation(OpType.SET, "max.message.bytes", "1000"),
        operation(OpType.SET, "message.timestamp.type", "LogAppendTime"),
        operation(OpType.DELETE, "retention.ms", null));
    Config config = configOf(topic);
    Checks.equal("1000", config.get("max.message.bytes").value(), "max.message.bytes");
    Checks.equal(
        ConfigSource.DYNAMIC_TOPIC_CONFIG, config.get("max.message.bytes").source(), "its source");
    Checks.equal(
        "LogAppendTime", config.get("message.timestamp.type").value(), "message.timestamp.type");
    Checks.equal("604800000", config.get("retention.ms").value(), "retention.ms");
    Checks.equal(ConfigSource.DEFAULT_CONFIG, config.get("retention.ms").source(), "its source");
    // It holds for the next message.
    Checks.fails(
        RecordTooLargeException.class,
        () ->
            clients.send(
                List.of(new ProducerRecord<>(topic, 0, null, ProducerChecks.text(1, 2000)))));
  }

  private void alterRefused() throws Throwable {
    String topic = clients.newTopic("alter", 1);
    for (AlterConfigOp refused :
        List.of(
            operation(OpType.SET, "no.such.setting", "1"),
            operation(OpType.SET, "retention.ms", "soon"),
            operation(OpType.SET, "segment.bytes", "1"),
            operation(OpType.APPEND, "retention.ms", "1"))) {
      Checks.fails(InvalidConfigurationException.class, () -> alter(topic, refused));
    }
    Checks.equal(
        ConfigSource.DEFAULT_CONFIG,
        configOf(topic).get("retention.ms").source(),
        "source of retention.ms");
    Checks.fails(
        UnknownTopicOrPartitionException.class,
        () -> alter(Clients.name("unknown"), operation(OpType.SET, "retention.ms", "1000")));
  }

  private void brokerConfig() throws Exception {
    Node node = admin.describeCluster().nodes().get().iterator().next();
    ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, node.idString());
    Config config = admin.describeConfigs(List.of(broker)).all().get().get(broker);
    Map<String, String> expected =
        Map.of(
            "auto.create.topics.enable",
            "true",
            "num.partitions",
            "1",
            "message.max.bytes",
            "1048588");
    expected.forEach(
        (name, value) -> {
          Checks.that(config.get(name) != null, () -> "no " + name);
          Checks.equal(value, config.get(name).value(), name);
        });
  }

  private void listOffsets() throws Throwable {
    String topic = clients.newTopic("list-offsets", 2, "retention.ms", "-1");
    long base = 1_600_000_000_000L;
    for (long time : new long[] {base, base + 2000, base + 1000}) {
      clients.send(List.of(new ProducerRecord<>(topic, 0, time, null, "value")));
    }
    offset(topic, 0, OffsetSpec.earliest(), 0, -1);
    offset(topic, 0, OffsetSpec.latest(), 3, -1);
    offset(topic, 0, OffsetSpec.forTimestamp(base + 1), 1, base + 2000);
    offset(topic, 0, OffsetSpec.forTimestamp(base + 2001), -1, -1);
    offset(topic, 0, OffsetSpec.maxTimestamp(), 1, base + 2000);
    offset(topic, 1, OffsetSpec.maxTimestamp(), -1, -1);
    offset(topic, 0, OffsetSpec.earliestLocal(), 0, -1);
    Checks.fails(
        UnknownTopicOrPartitionException.class,
        () -> offset(Clients.name("unknown"), 0, OffsetSpec.latest(), 0, -1));
  }

  private void offset(String topic, int number, OffsetSpec spec, long offset, long time)
      throws Exception {
    TopicPartition partition = new TopicPartition(topic, number);
    ListOffsetsResultInfo info =
        admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get();
    String what = spec.getClass().getSimpleName();
    Checks.equal(offset, info.offset(), "offset of " + what);
    Checks.equal(time, info.timestamp(), "timestamp of " + what);
  }

  private void deleteRecords() throws Throwable {
    String topic = clients.newTopic("delete-records", 1);
    clients.sendNumbers(topic, 10);
    Checks.equal(4L, deleteBefore(topic, 4), "low watermark");
    offset(topic, 0, OffsetSpec.earliest(), 4, -1);
    Checks.equal("4", clients.read(topic, 6).get(0).value(), "first value");
    Checks.equal(4L, deleteBefore(topic, 2), "low watermark, which does not go back");
    Checks.fails(OffsetOutOfRangeException.class, () -> deleteBefore(topic, 11));
    Checks.equal(10L, deleteBefore(topic, -1), "low watermark of an empty log");
    offset(topic, 0, OffsetSpec.latest(), 10, -1);
    clients.sendNumbers(topic, 1);
    Checks.equal(10L, clients.read(topic, 1).get(0).offset(), "offset of what comes next");
  }

  private long deleteBefore(String topic, long offset) throws Exception {
    TopicPartition partition = new TopicPartition(topic, 0);
    return admin
        .deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(offset)))
        .lowWatermarks()
        .get(partition)
        .get()
        .lowWatermark();
  }

  private void cluster() throws Exception {
    DescribeClusterResult cluster = admin.describeCluster();
    Set<Integer> ids = cluster.nodes().get().stream().map(Node::id).collect(Collectors.toSet());
    Checks.equal(1, ids.size(), "nodes");
    Checks.that(
        ids.contains(cluster.controller().get().id()), () -> "a controller that is none of them");
    Checks.that(!cluster.clusterId().get().isEmpty(), () -> "no cluster id");
    Checks.equal(
        null, cluster.authorizedOperations().get(), "authorized operations, not asked for");
    Node node = cluster.nodes().get().iterator().next();
    Checks.equal(clients.bootstrap, node.host() + ":" + node.port(), "address");
  }

  private void producers() throws Throwable {
    TopicPartition partition = new TopicPartition(clients.newTopic("producers", 1), 0);
    clients.sendNumbers(partition.topic(), 3);
    orNotOffered(
        () -> {
          List<ProducerState> states =
              admin
                  .describeProducers(List.of(partition))
                  .partitionResult(partition)
                  .get()
                  .activeProducers();
          Checks.equal(1, states.size(), "producers");
          Checks.equal(0, states.get(0).lastSequence() < 2 ? -1 : 0, "last sequence number");
        });
  }

  private void acls() throws Throwable {
    orNotOffered(
        () -> {
          KafkaFuture<?> asked = admin.describeAcls(AclBindingFilter.ANY).values();
          Checks.fails(SecurityDisabledException.class, asked::get);
        });
  }

  /** The client knows by itself that the broker has no such API. */
  private static void orNotOffered(Checks.Body body) throws Throwable {
    try {
      body.run();
    } catch (Throwable thrown) {
      boolean isRefused = Checks.unwrapped(thrown) instanceof UnsupportedVersionException;
      boolean isOther = String.valueOf(thrown.getMessage()).contains("UnsupportedVersionException");
      if (!isRefused && !isOther) throw thrown;
    }
  }
}
