import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.RetriableException;

/**
 * A member of a group, in a thread of its own. What it reads is written down in the ledger at once,
 * and committed after each poll and before its partitions are taken away.
 *
 * <p>As a program it is a member in a process of its own, which can be killed, and is missed after 6
 * s. Arguments: the broker's address, the group, the topic. It prints {@code read PARTITION OFFSET} and {@code
 * committed PARTITION OFFSET}.
 */
final class Member implements AutoCloseable, ConsumerRebalanceListener {
  /** For one that is to be missed soon. */
  static final String[] BRIEF_SESSION = {"session.timeout.ms", "6000"};

  /** Who owns what, as it was told to. */
  final Set<TopicPartition> owned = ConcurrentHashMap.newKeySet();

  final AtomicInteger assignments = new AtomicInteger();
  final AtomicInteger losses = new AtomicInteger();
  volatile Throwable failure;

  /** Polls no more while it is set. */
  volatile boolean isStalled;

  /** The generation in which it was given its partitions. */
  volatile int generation;

  private final KafkaConsumer<String, String> consumer;
  private final Ledger ledger;
  private final Map<TopicPartition, OffsetAndMetadata> uncommitted = new HashMap<>();
  private final Thread thread = new Thread(this::work);
  private volatile boolean isClosing;

  Member(Clients clients, String group, String topic, Ledger ledger, String... config) {
    List<String> settings = new ArrayList<>(List.of("group.id", group));
    settings.addAll(List.of(config));
    this.consumer = clients.consumer(settings.toArray(String[]::new));
    this.ledger = ledger;
    consumer.subscribe(List.of(topic), this);
    thread.setDaemon(true);
    thread.start();
  }

  private void work() {
    try (consumer) {
      while (!isClosing) {
        if (isStalled) {
          Thread.sleep(20);
          continue;
        }
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
          TopicPartition partition = new TopicPartition(record.topic(), record.partition());
          ledger.read(partition, record.offset());
          uncommitted.put(partition, new OffsetAndMetadata(record.offset() + 1));
        }
        commit();
      }
    } catch (Throwable thrown) {
      failure = thrown;
    }
    owned.clear();
  }

  private void commit() {
    if (uncommitted.isEmpty()) return;
    try {
      consumer.commitSync(uncommitted);
      uncommitted.forEach((partition, next) -> ledger.committed(partition, next.offset()));
      uncommitted.clear();
    } catch (RebalanceInProgressException | CommitFailedException | RetriableException again) {
      // The next poll takes part in the rebalance, or finds the broker again.
    }
  }

  @Override
  public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
    generation = consumer.groupMetadata().generationId();
    owned.addAll(partitions);
    assignments.incrementAndGet();
  }

  @Override
  public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
    commit();
    uncommitted.keySet().removeAll(partitions);
    owned.removeAll(partitions);
  }

  @Override
  public void onPartitionsLost(Collection<TopicPartition> partitions) {
    losses.incrementAndGet();
    uncommitted.keySet().removeAll(partitions);
    owned.removeAll(partitions);
  }

  @Override
  public void close() {
    isClosing = true;
    try {
      thread.join();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  public static void main(String[] args) throws Exception {
    Ledger printing =
        new Ledger() {
          @Override
          void read(TopicPartition partition, long offset) {
            System.out.println("read " + partition.partition() + " " + offset);
          }

          @Override
          void committed(TopicPartition partition, long next) {
            System.out.println("committed " + partition.partition() + " " + next);
          }
        };
    try (Clients clients = new Clients(args[0])) {
      new Member(clients, args[1], args[2], printing, BRIEF_SESSION).thread.join();
    }
  }
}
