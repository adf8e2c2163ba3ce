import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;

/** What a group's members have read and committed, in the order in which they did. */
class Ledger {
  private final Map<TopicPartition, Set<Long>> reads = new HashMap<>();
  private final Map<TopicPartition, Long> commits = new HashMap<>();
  private int readCount;
  private int repeatCount;
  private String fault;

  synchronized void read(TopicPartition partition, long offset) {
    if (offset < commits.getOrDefault(partition, 0L))
      fault = partition + " at " + offset + " read after its commit";
    readCount++;
    if (!reads.computeIfAbsent(partition, key -> new HashSet<>()).add(offset)) repeatCount++;
  }

  synchronized void committed(TopicPartition partition, long next) {
    if (next < commits.getOrDefault(partition, 0L))
      fault = partition + " committed backwards, to " + next;
    commits.put(partition, next);
  }

  /** How many different messages were read. */
  synchronized int count() {
    return readCount - repeatCount;
  }

  synchronized int repeats() {
    return repeatCount;
  }

  synchronized long committedAt(TopicPartition partition) {
    return commits.getOrDefault(partition, 0L);
  }

  /** How many it has, and which lie between them that it has not. */
  @Override
  public synchronized String toString() {
    StringBuilder text = new StringBuilder(count() + "; missed");
    reads.forEach(
        (partition, offsets) -> {
          long last = offsets.stream().mapToLong(offset -> offset).max().orElse(-1);
          for (long offset = 0; offset < last; offset++) {
            if (!offsets.contains(offset))
              text.append(' ').append(partition).append('@').append(offset);
          }
        });
    return text.append("; committed ").append(commits).toString();
  }

  /** Nothing was read again after it was committed. */
  synchronized void mustHold() {
    Checks.that(fault == null, () -> fault);
  }
}
