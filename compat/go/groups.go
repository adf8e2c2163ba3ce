package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (b *broker) addGroups(c *checks) {
	balancers := map[string]kgo.GroupBalancer{
		"cooperative-sticky": kgo.CooperativeStickyBalancer(), "range": kgo.RangeBalancer(),
		"round-robin": kgo.RoundRobinBalancer(), "sticky": kgo.StickyBalancer(),
	}
	for _, name := range []string{"cooperative-sticky", "range", "round-robin", "sticky"} {
		c.add("group of 3, joins and leaves: "+name, func() { b.joinsAndLeaves(balancers[name]) })
	}
	c.addSlow("members come and go", b.comeAndGo)
	c.addSlow("a member that is cut off", b.cutOff)
	c.add("static members start again without a rebalance", b.staticMembers)
	c.add("a static member is fenced by its successor", b.fenced)
	c.add("automatic commits", b.autoCommit)
	c.addSlow("a group over a restart of the broker", func() { b.groupRestart(c) })
	c.add("the next group protocol, or the classic one in its place", b.nextProtocol)
}

const groupPartitions = 6

// place is where a message lies.
type place struct {
	partition int32
	offset    int64
}

// group is one on a new topic, and what its members have read.
type group struct {
	b       *broker
	name    string
	topic   string
	mutex   sync.Mutex
	members []*member
	reads   map[place]int
	commits map[int32]int64
	fault   string
}

// member polls in a goroutine of its own, and commits what it has read after each poll.
type member struct {
	client *kgo.Client
	owned  map[int32]bool
	// How often it was given partitions.
	assignments int
	// The last error of a poll; most pass.
	failure error
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

func (b *broker) newGroup() *group {
	topic := b.newTopic("grouped", groupPartitions)
	return &group{b: b, name: b.name("group"), topic: topic, reads: map[place]int{}, commits: map[int32]int64{}}
}

func (g *group) join(options ...kgo.Opt) *member {
	m := &member{owned: map[int32]bool{}}
	changed := func(isOwned bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, client *kgo.Client, partitions map[string][]int32) {
			if !isOwned {
				g.commit(client)
			}
			g.mutex.Lock()
			defer g.mutex.Unlock()
			if isOwned {
				m.assignments++
			}
			for _, partition := range partitions[g.topic] {
				m.owned[partition] = isOwned
				if !isOwned {
					delete(m.owned, partition)
				}
			}
		}
	}
	m.client = g.b.client(append([]kgo.Opt{
		kgo.ConsumerGroup(g.name), kgo.ConsumeTopics(g.topic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(30 * time.Second), kgo.HeartbeatInterval(300 * time.Millisecond),
		kgo.OnPartitionsAssigned(changed(true)), kgo.OnPartitionsRevoked(changed(false)),
		kgo.OnPartitionsLost(changed(false)),
	}, options...)...)
	var polling context.Context
	polling, m.stop = context.WithCancel(ctx)
	m.stopped.Go(func() { g.poll(m, polling) })
	g.members = append(g.members, m)
	return m
}

func (g *group) poll(m *member, polling context.Context) {
	for polling.Err() == nil {
		fetches := m.client.PollFetches(polling)
		if err := fetches.Err(); err != nil && polling.Err() == nil {
			g.mutex.Lock()
			m.failure = err
			g.mutex.Unlock()
		}
		g.note(fetches.Records())
		g.commit(m.client)
		m.client.AllowRebalance()
	}
}

func (g *group) note(records []*kgo.Record) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for _, record := range records {
		at := place{record.Partition, record.Offset}
		g.reads[at]++
		if record.Offset < g.commits[record.Partition] {
			g.fault = fmt.Sprintf("%v read after its commit", at)
		}
	}
}

func (g *group) commit(client *kgo.Client) {
	uncommitted := client.UncommittedOffsets()
	if len(uncommitted) == 0 || client.CommitUncommittedOffsets(ctx) != nil {
		return
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for partition, next := range uncommitted[g.topic] {
		g.commits[partition] = max(next.Offset, g.commits[partition])
	}
}

// leave takes the member out, which says so to the broker unless it is static.
func (g *group) leave(m *member) {
	g.forget(m)
	m.stop()
	m.stopped.Wait()
	m.client.CloseAllowingRebalance()
}

func (g *group) forget(m *member) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for index, other := range g.members {
		if other == m {
			g.members = append(g.members[:index:index], g.members[index+1:]...)
		}
	}
}

func (g *group) close() {
	for len(g.members) > 0 {
		g.leave(g.members[0])
	}
}

// awaitBalance returns when each partition has one owner, and the members have about as many each.
func (g *group) awaitBalance() {
	await("balance", func() bool {
		g.mutex.Lock()
		defer g.mutex.Unlock()
		all, sum := map[int32]bool{}, 0
		least := groupPartitions / len(g.members)
		for _, m := range g.members {
			if len(m.owned) < least || len(m.owned) > least+1 {
				return false
			}
			maps.Copy(all, m.owned)
			sum += len(m.owned)
		}
		return sum == groupPartitions && len(all) == groupPartitions
	})
}

// send sends so many more messages, to all partitions in turn.
func (g *group) send(from, to int) {
	records := numbers(g.topic, from, to)
	for n, record := range records {
		record.Partition = int32((from + n) % groupPartitions)
	}
	g.b.send(records)
}

// awaitReads returns when so many different messages have been read.
func (g *group) awaitReads(count int) {
	read := 0
	await(fmt.Sprintf("%d messages", count), func() bool {
		g.mutex.Lock()
		defer g.mutex.Unlock()
		read = len(g.reads)
		return read >= count
	})
	equal(count, read, "messages read")
	g.mutex.Lock()
	defer g.mutex.Unlock()
	equal("", g.fault, "fault")
}

// mustBeOnce fails if a message was read twice.
func (g *group) mustBeOnce() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for at, times := range g.reads {
		equal(1, times, fmt.Sprintf("times that %v was read", at))
	}
}

func (b *broker) joinsAndLeaves(balancer kgo.GroupBalancer) {
	g := b.newGroup()
	defer g.close()
	option := kgo.Balancers(balancer)
	first := g.join(option)
	g.awaitBalance()
	g.join(option)
	g.join(option)
	g.awaitBalance()
	g.send(0, 60)
	g.awaitReads(60)
	g.leave(first)
	g.awaitBalance()
	g.send(60, 120)
	g.awaitReads(120)
	g.join(option)
	g.awaitBalance()
	g.send(120, 180)
	g.awaitReads(180)
	g.mustBeOnce()
}

func (b *broker) comeAndGo() {
	g := b.newGroup()
	defer g.close()
	var sender sync.WaitGroup
	over := make(chan struct{})
	sent := 0
	sender.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				g.send(sent, sent+12)
				sent += 12
			}
		}
	})
	for range 3 {
		g.join()
	}
	for range 4 {
		g.awaitBalance()
		g.leave(g.members[0])
		g.awaitBalance()
		g.join()
	}
	close(over)
	sender.Wait()
	g.awaitReads(sent)
	g.mustBeOnce()
}

// The broker hears no more of a member: its connections end, and there are no new ones.
func (b *broker) cutOff() {
	g := b.newGroup()
	defer g.close()
	var mutex sync.Mutex
	var connections []net.Conn
	isCut := false
	brief := kgo.SessionTimeout(6 * time.Second)
	m := g.join(brief, kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
		mutex.Lock()
		defer mutex.Unlock()
		if isCut {
			return nil, fmt.Errorf("it is cut off")
		}
		connection, err := (&net.Dialer{}).DialContext(ctx, network, host)
		connections = append(connections, connection)
		return connection, err
	}))
	g.join()
	g.awaitBalance()
	g.send(0, 60)
	g.awaitReads(60)
	mutex.Lock()
	isCut = true
	for _, connection := range connections {
		connection.Close()
	}
	mutex.Unlock()
	g.forget(m)
	m.stop()
	started := time.Now()
	g.awaitBalance()
	if waited := time.Since(started); waited < 4*time.Second || waited > 20*time.Second {
		fail("taken over after %v of a session of 6 s", waited)
	}
	g.send(60, 120)
	g.awaitReads(120)
}

// staticMembers starts each one again, the leader first. By range, since a leader that starts again computes its
// plan anew, and franz-go asks for a rebalance where that differs from what the group has: a sticky one does.
func (b *broker) staticMembers() {
	g := b.newGroup()
	defer g.close()
	join := func(n int) *member {
		return g.join(kgo.InstanceID(fmt.Sprintf("member-%d", n)), kgo.Balancers(kgo.RangeBalancer()))
	}
	for n := range 3 {
		join(n)
		g.awaitBalance()
	}
	g.send(0, 60)
	g.awaitReads(60)
	for n := range 3 {
		old, other := g.members[0], g.members[1]
		_, generation := old.client.GroupMetadata()
		assignments := other.assignments
		owned := maps.Clone(old.owned)
		g.leave(old)
		next := join(n)
		await("the same partitions", func() bool {
			g.mutex.Lock()
			defer g.mutex.Unlock()
			return maps.Equal(next.owned, owned)
		})
		_, after := next.client.GroupMetadata()
		equal(generation, after, "generation")
		g.send(60*(n+1), 60*(n+2))
		g.awaitReads(60 * (n + 2))
		equal(assignments, other.assignments, "assignments of another member")
	}
	g.mustBeOnce()
}

func (b *broker) fenced() {
	g := b.newGroup()
	defer g.close()
	old := g.join(kgo.InstanceID("same"))
	g.awaitBalance()
	g.forget(old)
	g.join(kgo.InstanceID("same"))
	g.awaitBalance()
	await("the older one's end", func() bool {
		g.mutex.Lock()
		defer g.mutex.Unlock()
		return errors.Is(old.failure, kerr.FencedInstanceID)
	})
	old.stop()
	old.client.CloseAllowingRebalance()
}

func (b *broker) autoCommit() {
	topic, name := b.newTopic("auto-commit", 1), b.name("group")
	b.sendNumbers(topic, 10)
	client := b.client(
		kgo.ConsumerGroup(name), kgo.ConsumeTopics(topic), kgo.GreedyAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	take(client, 10)
	client.LeaveGroup()
	client.Close()
	committed := got(b.admin.FetchOffsets(ctx, name))
	at, _ := committed.Lookup(topic, 0)
	equal(10, at.At, "committed")
}

func (b *broker) groupRestart(c *checks) {
	g := b.newGroup()
	defer g.close()
	g.join()
	g.join()
	// The last to go: it does not say so, and others would wait for it.
	g.join(kgo.InstanceID("static"))
	g.awaitBalance()
	g.send(0, 60)
	g.awaitReads(60)
	c.restartBroker()
	g.send(60, 120)
	g.awaitReads(120)
	g.awaitBalance()
	await("the commits of all", func() bool {
		committed, err := b.admin.FetchOffsets(ctx, g.name)
		sum := int64(0)
		committed.Each(func(row kadm.OffsetResponse) { sum += row.At })
		return err == nil && sum == 120
	})
}

func (b *broker) nextProtocol() {
	topic := b.newTopic("next", 1)
	b.sendNumbers(topic, 5)
	optIn := context.WithValue(ctx, "opt_in_kafka_next_gen_balancer_beta", true) //nolint:staticcheck // Its key.
	client := b.client(
		kgo.WithContext(optIn), kgo.ConsumerGroup(b.name("group")), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer client.Close()
	equalValues(0, take(client, 5))
	must(client.CommitUncommittedOffsets(ctx))
}
