import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;
import org.apache.kafka.common.errors.UnknownMemberIdException;

/** What the Java admin client asks of groups and their offsets. */
final class GroupAdminChecks {
  private final Checks checks;
  private final Clients clients;
  private final Admin admin;

  GroupAdminChecks(Checks checks, Clients clients) {
    this.checks = checks;
    this.clients = clients;
    this.admin = clients.admin;
  }

  void add() {
    checks.check("list and describe groups", this::describe);
    checks.check("delete groups", this::delete);
    checks.check("list, alter and delete a group's offsets", this::offsets);
    checks.check("offsets of a group with members", this::offsetsInUse);
    checks.check("a topic that is deleted takes its offsets along", this::deletedTopic);
  }

  /** A group with one member, which owns all partitions of the topic. */
  private KafkaConsumer<String, String> member(String group, String topic) {
    KafkaConsumer<String, String> consumer =
        clients.consumer("group.id", group, "client.id", "the-client");
    consumer.subscribe(List.of(topic));
    for (int tries = 0; consumer.assignment().isEmpty() && tries < 100; tries++)
      consumer.poll(Duration.ofMillis(100));
    return consumer;
  }

  private Optional<GroupListing> listed(String group) throws Exception {
    Collection<GroupListing> all = admin.listGroups().all().get();
    return all.stream().filter(listing -> listing.groupId().equals(group)).findFirst();
  }

  private ConsumerGroupDescription description(String group) throws Exception {
    return admin.describeConsumerGroups(List.of(group)).all().get().get(group);
  }

  private void describe() throws Throwable {
    String topic = clients.newTopic("described", 2);
    String group = Clients.name("described");
    Checks.fails(GroupIdNotFoundException.class, () -> description(group));
    try (KafkaConsumer<String, String> consumer = member(group, topic)) {
      GroupListing listing = listed(group).orElseThrow();
      Checks.equal(Optional.of(GroupState.STABLE), listing.groupState(), "state listed");
      Checks.equal("consumer", listing.protocol(), "protocol listed");
      Checks.equal(Optional.of(GroupType.CLASSIC), listing.type(), "type listed");
      ConsumerGroupDescription described = description(group);
      Checks.equal(GroupState.STABLE, described.groupState(), "state");
      Checks.equal("range", described.partitionAssignor(), "assignor");
      Checks.equal(1, described.members().size(), "members");
      MemberDescription only = described.members().iterator().next();
      Checks.equal("the-client", only.clientId(), "client id");
      Checks.equal(consumer.groupMetadata().memberId(), only.consumerId(), "member id");
      Checks.equal(consumer.assignment(), only.assignment().topicPartitions(), "assignment");
      Checks.that(only.host().contains("127.0.0.1"), () -> "host " + only.host());
      Checks.equal("127.0.0.1", described.coordinator().host(), "coordinator");
      Set<String> stable =
          admin
              .listGroups(new ListGroupsOptions().inGroupStates(Set.of(GroupState.STABLE)))
              .all()
              .get()
              .stream()
              .map(GroupListing::groupId)
              .collect(Collectors.toSet());
      Checks.that(stable.contains(group), () -> "not among the stable");
      consumer.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(0)));
    }
    Checks.equal(GroupState.EMPTY, description(group).groupState(), "state without members");
    Checks.equal(
        Optional.of(GroupState.EMPTY), listed(group).orElseThrow().groupState(), "state listed");
  }

  private void delete() throws Throwable {
    String topic = clients.newTopic("group-deleted", 1);
    String group = Clients.name("deleted");
    Checks.fails(
        GroupIdNotFoundException.class,
        () -> admin.deleteConsumerGroups(List.of(group)).all().get());
    try (KafkaConsumer<String, String> consumer = member(group, topic)) {
      consumer.commitSync();
      Checks.fails(
          GroupNotEmptyException.class,
          () -> admin.deleteConsumerGroups(List.of(group)).all().get());
    }
    admin.deleteConsumerGroups(List.of(group)).all().get();
    Checks.equal(Optional.empty(), listed(group), "listed");
    Checks.equal(
        Map.of(),
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get(),
        "offsets");
  }

  private Map<TopicPartition, Long> offsetsOf(String group) throws Exception {
    Map<TopicPartition, OffsetAndMetadata> all =
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    return all.entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getKey, entry -> entry.getValue().offset()));
  }

  private void offsets() throws Exception {
    String topic = clients.newTopic("group-offsets", 2);
    String group = Clients.name("offsets");
    TopicPartition zero = new TopicPartition(topic, 0);
    TopicPartition one = new TopicPartition(topic, 1);
    Checks.equal(Map.of(), offsetsOf(group), "offsets of no group");
    admin
        .alterConsumerGroupOffsets(
            group, Map.of(zero, new OffsetAndMetadata(5), one, new OffsetAndMetadata(7, "text")))
        .all()
        .get();
    Checks.equal(Map.of(zero, 5L, one, 7L), offsetsOf(group), "offsets");
    admin.alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(2))).all().get();
    Checks.equal(Map.of(zero, 2L, one, 7L), offsetsOf(group), "offsets");
    admin.deleteConsumerGroupOffsets(group, Set.of(one)).all().get();
    Checks.equal(Map.of(zero, 2L), offsetsOf(group), "offsets");
    clients.sendNumbers(topic, 4);
    try (KafkaConsumer<String, String> consumer = clients.consumer("group.id", group)) {
      consumer.subscribe(List.of(topic));
      Checks.equal(
          List.of("2", "3"), Clients.values(Clients.take(consumer, 2)), "values from there");
    }
  }

  private void offsetsInUse() throws Throwable {
    String topic = clients.newTopic("in-use", 1);
    String group = Clients.name("in-use");
    TopicPartition zero = new TopicPartition(topic, 0);
    try (KafkaConsumer<String, String> consumer = member(group, topic)) {
      consumer.commitSync(Map.of(zero, new OffsetAndMetadata(3)));
      Checks.fails(
          UnknownMemberIdException.class,
          () ->
              admin
                  .alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(1)))
                  .all()
                  .get());
      Checks.fails(
          GroupSubscribedToTopicException.class,
          () -> admin.deleteConsumerGroupOffsets(group, Set.of(zero)).all().get());
      Checks.equal(Map.of(zero, 3L), offsetsOf(group), "offsets");
    }
  }

  private void deletedTopic() throws Exception {
    String topic = clients.newTopic("topic-deleted", 1);
    String group = Clients.name("topic-deleted");
    TopicPartition zero = new TopicPartition(topic, 0);
    admin.alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(5))).all().get();
    admin.deleteTopics(List.of(topic)).all().get();
    Checks.await(
        "the end of its offsets",
        () -> {
          try {
            return offsetsOf(group).isEmpty();
          } catch (Exception failure) {
            throw new AssertionError(failure);
          }
        });
  }
}
