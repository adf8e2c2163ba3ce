import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;

/** A group on a new topic, and its members. */
final class Group implements AutoCloseable {
  final String name = Clients.name("group");
  final Ledger ledger = new Ledger();
  final List<Member> members = new ArrayList<>();
  final String topic;
  private final Clients clients;

  Group(Clients clients, int partitions) throws Exception {
    this.clients = clients;
    this.topic = clients.newTopic("grouped", partitions);
  }

  Member join(String... config) {
    Member member = new Member(clients, name, topic, ledger, config);
    members.add(member);
    return member;
  }

  void leave(Member member) {
    member.close();
    members.remove(member);
  }

  /** Each partition has one owner, and each member as many as the others, or one more. */
  void awaitBalance(int partitions) throws InterruptedException {
    Checks.await(
        () -> "balance, but " + shown(),
        () -> {
          Set<TopicPartition> all = new HashSet<>();
          int sum = 0;
          int least = partitions / members.size();
          for (Member member : members) {
            Checks.that(member.failure == null, () -> "a member failed: " + member.failure);
            int size = member.owned.size();
            if (size < least || size > least + 1) return false;
            all.addAll(member.owned);
            sum += size;
          }
          return sum == partitions && all.size() == partitions;
        });
  }

  void awaitReads(int count) throws InterruptedException {
    Checks.await(
        () -> count + " messages, but " + ledger,
        () -> {
          for (Member member : members) {
            Checks.that(member.failure == null, () -> "a member failed: " + member.failure);
          }
          return ledger.count() >= count;
        });
    Checks.equal(count, ledger.count(), "messages read");
    ledger.mustHold();
  }

  private List<Set<TopicPartition>> shown() {
    return members.stream().map(member -> Set.copyOf(member.owned)).toList();
  }

  @Override
  public void close() {
    members.forEach(Member::close);
  }
}
