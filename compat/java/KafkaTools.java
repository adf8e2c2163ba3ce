import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Kafka's command line tools, each run in a process of its own, as its scripts run them. The last
 * argument is the broker's address; KASKA_COMPAT_DIRECTORY is where the broker keeps its data.
 */
public final class KafkaTools {
  private static final String TOOLS = "org.apache.kafka.tools.";
  private static final Pattern CONTENTS =
      Pattern.compile(
          "^(SLF4J: |Dumping |Log starting offset: |baseOffset: |\\| offset: |offset:"
              + " \\d+ position: |timestamp: \\d+ offset: )");

  private final Checks checks;
  private final Clients clients;

  private KafkaTools(Checks checks, Clients clients) {
    this.checks = checks;
    this.clients = clients;
  }

  public static void main(String[] args) {
    Checks checks = new Checks();
    try (Clients clients = new Clients(args[args.length - 1])) {
      new KafkaTools(checks, clients).add();
      checks.run();
    }
    System.exit(0);
  }

  private void add() {
    checks.check("kafka-topics", this::topics);
    checks.check("kafka-console-producer and -consumer", this::console);
    checks.check("kafka-console-producer: keys, headers, compression", this::consoleKeys);
    checks.check("kafka-console-consumer: a group goes on where it was", this::consoleGroup);
    checks.check("kafka-configs", this::configs);
    checks.check("kafka-get-offsets", this::getOffsets);
    checks.check("kafka-consumer-groups", this::groups);
    checks.check("kafka-delete-records", this::deleteRecords);
    checks.check("kafka-broker-api-versions", this::apiVersions);
    checks.check("kafka-dump-log: batches, records and indexes", this::dump);
  }

  private void topics() throws Exception {
    String topic = Clients.name("tool-topics");
    String[] named = {"--topic", topic};
    prints(
        tool(
            "TopicCommand",
            named,
            "--create",
            "--partitions",
            "3",
            "--config",
            "retention.ms=1234567"),
        "Created topic " + topic);
    String described = tool("TopicCommand", named, "--describe");
    prints(described, "PartitionCount: 3\t");
    prints(described, "retention.ms=1234567");
    Checks.equal(
        3L,
        described.lines().filter(line -> line.contains("\tLeader: ")).count(),
        "partitions described");
    prints(tool("TopicCommand", new String[0], "--list"), topic);
    tool("TopicCommand", named, "--alter", "--partitions", "5");
    prints(tool("TopicCommand", named, "--describe"), "PartitionCount: 5\t");
    tool("TopicCommand", named, "--delete");
    String after = tool("TopicCommand", new String[0], "--list");
    Checks.that(!after.contains(topic), () -> "still listed: " + after);
  }

  private void console() throws Exception {
    String topic = clients.newTopic("console", 1);
    String lines = "one\ntwo\n\u00e9\u20ac\n\nlast\n";
    run(lines, "ConsoleProducer", "--bootstrap-server", clients.bootstrap, "--topic", topic);
    String[] named = {
      "--topic", topic, "--from-beginning", "--max-messages", "5", "--timeout-ms", "20000"
    };
    Checks.equal(lines, tool("consumer.ConsoleConsumer", named), "lines");
  }

  private void consoleKeys() throws Exception {
    String topic = clients.newTopic("console-keys", 1);
    run(
        "a:1,b:2\tkey\tvalue\nNULL\tkey 2\tNULL\n",
        "ConsoleProducer",
        "--bootstrap-server",
        clients.bootstrap,
        "--topic",
        topic,
        "--compression-codec",
        "zstd",
        "--reader-property",
        "parse.key=true",
        "--reader-property",
        "parse.headers=true",
        "--reader-property",
        "null.marker=NULL");
    String printed =
        tool(
            "consumer.ConsoleConsumer",
            new String[] {
              "--topic", topic, "--from-beginning", "--max-messages", "2", "--timeout-ms", "20000"
            },
            "--formatter-property",
            "print.key=true",
            "--formatter-property",
            "print.headers=true",
            "--formatter-property",
            "print.offset=true",
            "--formatter-property",
            "print.partition=true");
    Checks.equal(
        "Partition:0\tOffset:0\ta:1,b:2\tkey\tvalue\n"
            + "Partition:0\tOffset:1\tNO_HEADERS\tkey 2\tnull\n",
        printed,
        "lines");
  }

  private void consoleGroup() throws Exception {
    String topic = clients.newTopic("console-group", 1);
    String group = Clients.name("console");
    clients.sendNumbers(topic, 6);
    String[] first = {
      "--topic",
      topic,
      "--group",
      group,
      "--from-beginning",
      "--max-messages",
      "4",
      "--timeout-ms",
      "20000"
    };
    Checks.equal("0\n1\n2\n3\n", tool("consumer.ConsoleConsumer", first), "lines");
    String[] then = {
      "--topic", topic, "--group", group, "--max-messages", "2", "--timeout-ms", "20000"
    };
    Checks.equal("4\n5\n", tool("consumer.ConsoleConsumer", then), "lines");
  }

  private void configs() throws Exception {
    String topic = clients.newTopic("tool-configs", 1);
    String[] named = {"--entity-type", "topics", "--entity-name", topic};
    tool(
        "kafka.admin.ConfigCommand",
        named,
        "--alter",
        "--add-config",
        "max.message.bytes=5000,retention.ms=100000");
    String described = tool("kafka.admin.ConfigCommand", named, "--describe");
    prints(
        described,
        "max.message.bytes=5000 sensitive=false"
            + " synonyms={DYNAMIC_TOPIC_CONFIG:max.message.bytes=5000");
    tool("kafka.admin.ConfigCommand", named, "--alter", "--delete-config", "max.message.bytes");
    String after = tool("kafka.admin.ConfigCommand", named, "--describe");
    prints(after, "retention.ms=100000");
    Checks.that(!after.contains("max.message.bytes"), () -> "not deleted: " + after);
    prints(
        tool("kafka.admin.ConfigCommand", named, "--describe", "--all"),
        "  max.message.bytes=1048588 ");
  }

  private void getOffsets() throws Exception {
    String topic = clients.newTopic("tool-offsets", 2);
    clients.sendNumbers(topic, 7);
    String[] named = {"--topic", topic};
    Checks.equal(topic + ":0:7\n" + topic + ":1:0\n", tool("GetOffsetShell", named), "latest");
    Checks.equal(
        topic + ":0:0\n" + topic + ":1:0\n",
        tool("GetOffsetShell", named, "--time", "earliest"),
        "earliest");
    String timed = clients.newTopic("tool-offsets", 1, "retention.ms", "-1");
    for (long time : new long[] {1000, 3000, 2000}) {
      clients.send(List.of(new ProducerRecord<>(timed, 0, time, null, "")));
    }
    named = new String[] {"--topic", timed};
    Checks.equal(
        timed + ":0:1\n",
        tool("GetOffsetShell", named, "--time", "max-timestamp"),
        "latest in time");
    Checks.equal(timed + ":0:1\n", tool("GetOffsetShell", named, "--time", "1500"), "by time");
  }

  private void groups() throws Exception {
    String topic = clients.newTopic("tool-groups", 1);
    String group = Clients.name("tool");
    clients.sendNumbers(topic, 6);
    String[] read = {
      "--topic",
      topic,
      "--group",
      group,
      "--from-beginning",
      "--max-messages",
      "6",
      "--timeout-ms",
      "20000"
    };
    tool("consumer.ConsoleConsumer", read);
    String[] named = {"--group", group};
    prints(groupTool(new String[0], "--list"), group);
    row(groupTool(named, "--describe"), group, topic, "0", "6", "6", "0", "-");
    String[] reset = {"--group", group, "--topic", topic, "--reset-offsets", "--execute"};
    row(groupTool(reset, "--to-offset", "2"), group, topic, "0", "2");
    row(groupTool(named, "--describe"), group, topic, "0", "2", "6", "4", "-");
    row(groupTool(reset, "--to-earliest"), group, topic, "0", "0");
    row(groupTool(reset, "--shift-by", "5"), group, topic, "0", "5");
    row(groupTool(reset, "--to-datetime", "2000-01-01T00:00:00.000"), group, topic, "0", "0");
    prints(groupTool(named, "--describe", "--state"), "Empty");
    groupTool(named, "--delete");
    String after = groupTool(new String[0], "--list");
    Checks.that(!after.contains(group), () -> "still listed: " + after);
  }

  private String groupTool(String[] named, String... more) throws Exception {
    return tool("consumer.group.ConsumerGroupCommand", named, more);
  }

  private void deleteRecords() throws Exception {
    String topic = clients.newTopic("tool-delete", 1);
    clients.sendNumbers(topic, 7);
    Path file = Files.createTempFile("kaska-compat", ".json");
    try {
      Files.writeString(
          file,
          "{\"partitions\":[{\"topic\":\""
              + topic
              + "\",\"partition\":0,\"offset\":3}],\"version\":1}");
      String[] named = {"--offset-json-file", file.toString()};
      prints(tool("DeleteRecordsCommand", named), "partition: " + topic + "-0\tlow_watermark: 3");
    } finally {
      Files.delete(file);
    }
    String[] named = {"--topic", topic, "--time", "earliest"};
    Checks.equal(topic + ":0:3\n", tool("GetOffsetShell", named), "earliest");
  }

  private void apiVersions() throws Exception {
    String printed = tool("BrokerApiVersionsCommand", new String[0]);
    prints(printed, "Produce(0): ");
    prints(printed, "Fetch(1): ");
  }

  /** Batches of all kinds, over several segments where a topic's setting makes them. */
  private void dump() throws Exception {
    String topic = clients.newTopic("tool-dump", 1, "segment.bytes", "1048576");
    int count = 0;
    for (int round = 0; round < 12; round++) {
      for (String type : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
        List<ProducerRecord<String, String>> records = new ArrayList<>();
        for (int n = 0; n < 20; n++) {
          String value = ProducerChecks.text(count + n, 1000 * (n + 1) / 4);
          records.add(new ProducerRecord<>(topic, 0, "key " + (count + n), value));
        }
        clients.send(records, "compression.type", type, "linger.ms", "20");
        count += records.size();
      }
    }
    // What a broker that runs has not written yet, an orderly end writes.
    checks.restartBroker();
    List<Path> logs = filesOf(topic, ".log");
    Checks.that(logs.size() > 1, () -> "one segment only: " + logs);
    dumpOf(logs);
    String records = dumpOf(logs, "--deep-iteration", "--print-data-log");
    List<Long> offsets = numbersAfter("\\| offset: (\\d+) ", records);
    Checks.equal(
        IntStream.range(0, count).mapToObj(Long::valueOf).toList(), offsets, "offsets dumped");
    Checks.equal(
        IntStream.range(0, count).mapToObj(Long::valueOf).toList(),
        numbersAfter("key: key (\\d+) ", records),
        "keys dumped");
    Checks.that(!records.contains("isvalid: false"), () -> "a batch that is not valid");
    // Kafka makes room ahead in those of the last segment.
    int madeAhead = "apache-kafka".equals(System.getenv("KASKA_COMPAT_BROKER")) ? 1 : 0;
    for (String suffix : List.of(".index", ".timeindex")) {
      List<Path> indexes = filesOf(topic, suffix);
      Checks.equal(logs.size(), indexes.size(), "files named " + suffix);
      List<Path> closed = indexes.subList(0, logs.size() - madeAhead);
      String checked = dumpOf(closed, "--index-sanity-check");
      Checks.equal(
          (long) closed.size(), checked.lines().filter(KafkaTools::isSane).count(), "sane indexes");
      dumpOf(closed);
      dumpOf(closed, "--verify-index-only");
    }
  }

  private static boolean isSane(String line) {
    return line.endsWith(" passed sanity check.");
  }

  /**
   * What the tool prints of these files; a line that is no part of their contents is a complaint.
   */
  private static String dumpOf(List<Path> files, String... options) throws Exception {
    String names = files.stream().map(Path::toString).collect(Collectors.joining(","));
    String[] named = {"--files", names};
    String printed =
        run(
            "",
            true,
            "DumpLogSegments",
            Stream.of(named, options).flatMap(Stream::of).toArray(String[]::new));
    // It takes -1 for the end of what comes before a segment, whatever its name.
    String rest =
        printed.replaceAll("Non-consecutive offsets in .*\\n  -1 is followed by .*\\n", "");
    rest.lines()
        .filter(line -> !CONTENTS.matcher(line).find() && !isSane(line))
        .findFirst()
        .ifPresent(
            line -> {
              throw new AssertionError("the tool says: " + line);
            });
    return printed;
  }

  /**
   * A topic's files in the order of their offsets. Kafka's directories have its name, Kaska's its
   * id.
   */
  private List<Path> filesOf(String topic, String suffix) throws Exception {
    var described = clients.admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    Set<String> directories = Set.of(topic + "-0", described.topicId() + "-0");
    try (Stream<Path> all = Files.walk(Path.of(System.getenv("KASKA_COMPAT_DIRECTORY")))) {
      return all.filter(file -> directories.contains(file.getParent().getFileName().toString()))
          .filter(file -> file.toString().endsWith(suffix))
          .sorted()
          .toList();
    }
  }

  private static List<Long> numbersAfter(String pattern, String text) {
    return Pattern.compile(pattern)
        .matcher(text)
        .results()
        .map(match -> Long.valueOf(match.group(1)))
        .toList();
  }

  private static void prints(String printed, String expected) {
    Checks.that(printed.contains(expected), () -> "no '" + expected + "' in: " + printed);
  }

  /** There is a line of these words, and maybe more. */
  private static void row(String printed, String... words) {
    List<String> expected = Arrays.asList(words);
    boolean isThere =
        printed
            .lines()
            .map(line -> Arrays.asList(line.trim().split("\\s+")))
            .anyMatch(
                row ->
                    row.size() >= expected.size()
                        && row.subList(0, expected.size()).equals(expected));
    Checks.that(isThere, () -> "no line " + expected + " in: " + printed);
  }

  private String tool(String name, String[] named, String... more) throws Exception {
    String[] address = {"--bootstrap-server", clients.bootstrap};
    return run(
        "", name, Stream.of(address, named, more).flatMap(Stream::of).toArray(String[]::new));
  }

  /** What a tool prints to standard output; it must end well. */
  private static String run(String input, String tool, String... arguments) throws Exception {
    return run(input, false, tool, arguments);
  }

  private static String run(String input, boolean withErrors, String tool, String... arguments)
      throws Exception {
    String main = tool.startsWith("kafka.") ? tool : TOOLS + tool;
    String[] java = {
      "java",
      "-Xmx256m",
      "-XX:TieredStopAtLevel=1",
      "-Xshare:auto",
      "-Dfile.encoding=UTF-8",
      "-cp",
      System.getProperty("java.class.path"),
      main
    };
    ProcessBuilder builder =
        new ProcessBuilder(Stream.of(java, arguments).flatMap(Stream::of).toList());
    if (withErrors) builder.redirectErrorStream(true);
    else builder.redirectError(ProcessBuilder.Redirect.INHERIT);
    Process process = builder.start();
    try {
      try (var in = process.getOutputStream()) {
        in.write(input.getBytes("UTF-8"));
      }
      String printed = new String(process.getInputStream().readAllBytes(), "UTF-8");
      Checks.that(process.waitFor(40, TimeUnit.SECONDS), () -> main + " does not end");
      Checks.that(
          process.exitValue() == 0,
          () -> main + " ended with " + process.exitValue() + ": " + printed);
      return printed;
    } finally {
      process.destroyForcibly();
    }
  }
}
