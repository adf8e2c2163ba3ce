import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.InconsistentGroupProtocolException;
import org.apache.kafka.common.errors.InvalidSessionTimeoutException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Groups of Java consumers: who owns what, and that nothing is lost or repeated after its commit.
 */
final class GroupChecks {
  private static final String ASSIGNOR = "org.apache.kafka.clients.consumer.";
  private static final String RANGE = ASSIGNOR + "RangeAssignor";
  private static final String STICKY = ASSIGNOR + "StickyAssignor";
  private static final String COOPERATIVE = ASSIGNOR + "CooperativeStickyAssignor";
  private static final int PARTITIONS = 6;

  private final Checks checks;
  private final Clients clients;

  GroupChecks(Checks checks, Clients clients) {
    this.checks = checks;
    this.clients = clients;
  }

  void add() {
    for (String assignor : List.of(RANGE, STICKY, COOPERATIVE)) {
      String name = assignor.substring(ASSIGNOR.length());
      checks.check("group of 3, joins and leaves: " + name, () -> joinsAndLeaves(assignor));
    }
    checks.slowCheck("members come and go, all at once: eager", () -> comeAndGo(RANGE));
    checks.slowCheck(
        "members come and go, one at a time: cooperative", () -> comeAndGo(COOPERATIVE));
    checks.slowCheck("a killed member", this::killed);
    checks.slowCheck("a member that stops polling", this::stalled);
    checks.slowCheck("static members start again without a rebalance", this::staticMembers);
    checks.slowCheck("a static member that stays away", this::staticAway);
    checks.check("a static member is fenced by its successor", this::fenced);
    checks.check("a member that was removed", this::removed);
    checks.check("partitions that are added", this::partitionsAdded);
    checks.check("two topics, different subscriptions", this::subscriptions);
    checks.check("no assignor in common", this::noCommonAssignor);
    checks.check("a session time-out out of range", this::sessionTimeout);
    checks.slowCheck("a group over a restart of the broker", this::restart);
    checks.check("the group protocol of KIP-848 works, or is not offered", this::nextProtocol);
  }

  private void send(String topic, int partitions, int from, int to) throws Exception {
    List<ProducerRecord<String, String>> records = new ArrayList<>();
    for (int n = from; n < to; n++)
      records.add(new ProducerRecord<>(topic, n % partitions, null, "" + n));
    clients.send(records);
  }

  private void joinsAndLeaves(String assignor) throws Exception {
    String[] config = {"partition.assignment.strategy", assignor};
    try (Group group = new Group(clients, PARTITIONS)) {
      Member first = group.join(config);
      group.awaitBalance(PARTITIONS);
      group.join(config);
      group.join(config);
      group.awaitBalance(PARTITIONS);
      send(group.topic, PARTITIONS, 0, 60);
      group.awaitReads(60);
      group.leave(first);
      group.awaitBalance(PARTITIONS);
      send(group.topic, PARTITIONS, 60, 120);
      group.awaitReads(120);
      group.join(config);
      group.awaitBalance(PARTITIONS);
      send(group.topic, PARTITIONS, 120, 180);
      group.awaitReads(180);
      Checks.equal(0, group.ledger.repeats(), "repeats");
    }
  }

  /** Messages are sent all the time while members leave and others join. */
  private void comeAndGo(String assignor) throws Exception {
    String[] config = {"partition.assignment.strategy", assignor};
    AtomicBoolean isOver = new AtomicBoolean();
    try (Group group = new Group(clients, PARTITIONS);
        KafkaProducer<String, String> producer = clients.producer()) {
      int[] sent = {0};
      Queue<Exception> refused = new ConcurrentLinkedQueue<>();
      Thread sender =
          new Thread(
              () -> {
                while (!isOver.get()) {
                  producer.send(
                      new ProducerRecord<>(group.topic, sent[0] % PARTITIONS, null, "" + sent[0]),
                      (sentTo, failure) -> {
                        if (failure != null) refused.add(failure);
                      });
                  if (sent[0]++ % 4 == 0) sleep(2);
                }
                producer.flush();
              });
      for (int n = 0; n < 3; n++) group.join(config);
      sender.start();
      for (int round = 0; round < 4; round++) {
        group.awaitBalance(PARTITIONS);
        group.leave(group.members.get(0));
        group.awaitBalance(PARTITIONS);
        group.join(config);
      }
      isOver.set(true);
      sender.join();
      Checks.that(refused.isEmpty(), () -> "not sent: " + refused);
      group.awaitReads(sent[0]);
      Checks.equal(0, group.ledger.repeats(), "repeats");
    }
  }

  /** The broker hears no more of a member, which has read but not committed: others take over. */
  private void killed() throws Exception {
    try (Group group = new Group(clients, PARTITIONS)) {
      group.join();
      Process process = memberProcess(group);
      BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream()));
      Checks.await(
          "a share of the other process",
          () -> group.members.get(0).owned.size() == PARTITIONS / 2);
      send(group.topic, PARTITIONS, 0, 600);
      note(group, out.readLine());
      // The process itself would close its output.
      process.toHandle().destroyForcibly();
      process.waitFor();
      for (String line = out.readLine(); line != null; line = out.readLine()) note(group, line);
      long killed = System.nanoTime();
      group.awaitBalance(PARTITIONS);
      long ms = (System.nanoTime() - killed) / 1_000_000;
      Checks.that(
          ms > 4000 && ms < 20000, () -> "taken over after " + ms + " ms of a session of 6000 ms");
      send(group.topic, PARTITIONS, 600, 660);
      group.awaitReads(660);
    }
  }

  private Process memberProcess(Group group) throws Exception {
    String[] java = {
      "java", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"), "Member"
    };
    String[] arguments = {clients.bootstrap, group.name, group.topic};
    List<String> command = Stream.of(java, arguments).flatMap(Stream::of).toList();
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
    return process;
  }

  private static void note(Group group, String line) {
    String[] words = line.split(" ");
    // The last line may have been cut.
    if (words.length < 3) return;
    TopicPartition partition = new TopicPartition(group.topic, Integer.parseInt(words[1]));
    if (words[0].equals("read")) group.ledger.read(partition, Long.parseLong(words[2]));
    else group.ledger.committed(partition, Long.parseLong(words[2]));
  }

  private void stalled() throws Exception {
    String[] config = {"max.poll.interval.ms", "1500"};
    try (Group group = new Group(clients, PARTITIONS)) {
      Member slow = group.join(config);
      group.join();
      group.awaitBalance(PARTITIONS);
      slow.isStalled = true;
      group.members.remove(slow);
      group.awaitBalance(PARTITIONS);
      send(group.topic, PARTITIONS, 0, 60);
      group.awaitReads(60);
      group.members.add(slow);
      slow.isStalled = false;
      group.awaitBalance(PARTITIONS);
      Checks.equal(1, slow.losses.get(), "times that it was told of the loss");
      Checks.equal(0, group.ledger.repeats(), "repeats");
    }
  }

  private void staticMembers() throws Exception {
    try (Group group = new Group(clients, PARTITIONS)) {
      for (int n = 0; n < 3; n++) group.join("group.instance.id", "member-" + n);
      group.awaitBalance(PARTITIONS);
      send(group.topic, PARTITIONS, 0, 60);
      group.awaitReads(60);
      int generation = group.members.get(0).generation;
      List<Integer> assignments =
          group.members.stream().map(member -> member.assignments.get()).toList();
      for (int n = 0; n < 3; n++) {
        Member old = group.members.get(n);
        Set<TopicPartition> owned = Set.copyOf(old.owned);
        old.close();
        Member next =
            new Member(
                clients, group.name, group.topic, group.ledger, "group.instance.id", "member-" + n);
        group.members.set(n, next);
        Checks.await("the same partitions", () -> next.owned.equals(owned));
        Checks.equal(generation, next.generation, "generation");
        for (int other = n + 1; other < 3; other++) {
          Checks.equal(
              assignments.get(other), group.members.get(other).assignments.get(), "assignments");
        }
      }
      send(group.topic, PARTITIONS, 60, 120);
      group.awaitReads(120);
      Checks.equal(0, group.ledger.repeats(), "repeats");
    }
  }

  private void staticAway() throws Exception {
    try (Group group = new Group(clients, PARTITIONS)) {
      for (int n = 0; n < 3; n++) {
        List<String> config = new ArrayList<>(List.of("group.instance.id", "member-" + n));
        config.addAll(List.of(Member.BRIEF_SESSION));
        group.join(config.toArray(String[]::new));
      }
      group.awaitBalance(PARTITIONS);
      long left = System.nanoTime();
      group.leave(group.members.get(0));
      group.awaitBalance(PARTITIONS);
      long ms = (System.nanoTime() - left) / 1_000_000;
      Checks.that(ms > 4000, () -> "taken over after " + ms + " ms of a session of 6000 ms");
    }
  }

  private void fenced() throws Exception {
    try (Group group = new Group(clients, PARTITIONS)) {
      Member old = group.join("group.instance.id", "same");
      group.awaitBalance(PARTITIONS);
      group.members.remove(old);
      group.join("group.instance.id", "same");
      group.awaitBalance(PARTITIONS);
      Checks.await("the older one's end", () -> old.failure != null);
      Checks.equal(FencedInstanceIdException.class, old.failure.getClass(), "its failure");
    }
  }

  private void removed() throws Throwable {
    String topic = clients.newTopic("removed", 1);
    clients.sendNumbers(topic, 5);
    String group = Clients.name("removed");
    try (KafkaConsumer<String, String> consumer =
        clients.consumer("group.id", group, "heartbeat.interval.ms", "5000")) {
      consumer.subscribe(List.of(topic));
      Clients.take(consumer, 5);
      clients
          .admin
          .removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions())
          .all()
          .get();
      Checks.fails(CommitFailedException.class, consumer::commitSync);
      Clients.take(consumer, 5);
      consumer.commitSync();
    }
  }

  private void partitionsAdded() throws Exception {
    try (Group group = new Group(clients, 3)) {
      for (int n = 0; n < 3; n++) group.join("metadata.max.age.ms", "500");
      group.awaitBalance(3);
      clients
          .admin
          .createPartitions(Map.of(group.topic, NewPartitions.increaseTo(PARTITIONS)))
          .all()
          .get();
      group.awaitBalance(PARTITIONS);
      send(group.topic, PARTITIONS, 0, 60);
      group.awaitReads(60);
    }
  }

  private void subscriptions() throws Exception {
    String one = clients.newTopic("one", 2);
    String other = clients.newTopic("other", 2);
    String name = Clients.name("group");
    Ledger ledger = new Ledger();
    try (Member first = new Member(clients, name, one, ledger);
        Member second = new Member(clients, name, other, ledger);
        Member third = new Member(clients, name, other, ledger)) {
      Checks.await(
          "shares",
          () -> first.owned.size() == 2 && second.owned.size() == 1 && third.owned.size() == 1);
      Checks.that(first.owned.contains(new TopicPartition(one, 0)), () -> "not its topic");
    }
  }

  private void noCommonAssignor() throws Exception {
    try (Group group = new Group(clients, PARTITIONS)) {
      group.join("partition.assignment.strategy", RANGE);
      group.awaitBalance(PARTITIONS);
      try (Member other =
          new Member(
              clients,
              group.name,
              group.topic,
              group.ledger,
              "partition.assignment.strategy",
              STICKY)) {
        Checks.await("refusal", () -> other.failure != null);
        Checks.equal(InconsistentGroupProtocolException.class, other.failure.getClass(), "failure");
      }
    }
  }

  private void sessionTimeout() throws Throwable {
    String[] config = {"group.id", Clients.name("group"), "session.timeout.ms", "1000"};
    try (KafkaConsumer<String, String> consumer = clients.consumer(config)) {
      consumer.subscribe(List.of(clients.newTopic("session", 1)));
      Checks.fails(
          InvalidSessionTimeoutException.class,
          () -> {
            for (int tries = 0; tries < 100; tries++) consumer.poll(Duration.ofMillis(100));
          });
    }
  }

  private void restart() throws Exception {
    try (Group group = new Group(clients, PARTITIONS)) {
      group.join();
      group.join();
      // The last to go: it does not say so, and others would wait for it.
      group.join("group.instance.id", "static");
      group.awaitBalance(PARTITIONS);
      send(group.topic, PARTITIONS, 0, 60);
      group.awaitReads(60);
      TopicPartition partition = new TopicPartition(group.topic, 1);
      Checks.await("commits", () -> group.ledger.committedAt(partition) == 10);
      checks.restartBroker();
      send(group.topic, PARTITIONS, 60, 120);
      group.awaitReads(120);
      group.awaitBalance(PARTITIONS);
      Checks.equal(
          10L + 10,
          clients
              .admin
              .listConsumerGroupOffsets(group.name)
              .partitionsToOffsetAndMetadata()
              .get()
              .get(partition)
              .offset(),
          "committed");
    }
  }

  private void nextProtocol() throws Throwable {
    String topic = clients.newTopic("kip-848", 1);
    clients.sendNumbers(topic, 5);
    try (KafkaConsumer<String, String> consumer = nextConsumer()) {
      consumer.subscribe(List.of(topic));
      Clients.take(consumer, 5);
      consumer.commitSync();
    } catch (UnsupportedVersionException notOffered) {
      // So the client knows.
    }
  }

  /** The broker and not the consumer sets the times of this protocol. */
  private KafkaConsumer<String, String> nextConsumer() {
    Map<String, Object> settings =
        clients.settings(
            "group.id",
            Clients.name("kip-848"),
            "group.protocol",
            "consumer",
            "auto.offset.reset",
            "earliest");
    return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
  }

  private static void sleep(long ms) {
    try {
      Thread.sleep(ms);
    } catch (InterruptedException interrupted) {
      throw new IllegalStateException(interrupted);
    }
  }
}
