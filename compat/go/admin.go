package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (b *broker) addAdmin(c *checks) {
	c.add("create, list and delete topics", b.topics)
	c.add("create topics: what is refused", b.createRefused)
	c.add("create partitions", b.partitions)
	c.add("describe and alter the configuration of a topic", b.config)
	c.add("list offsets", b.listOffsets)
	c.add("delete records", b.deleteRecords)
	c.add("brokers and their versions", b.brokers)
	c.add("list, describe and delete groups", b.groups)
	c.add("commit, fetch and delete a group's offsets", b.groupOffsets)
	c.add("lag of a group", b.lag)
}

func (b *broker) topics() {
	name := b.newTopic("admin", 3, "retention.ms", "1234567")
	detail := got(b.admin.ListTopics(ctx, name))[name]
	equal(3, len(detail.Partitions), "partitions")
	equal(false, detail.ID == kadm.TopicID{}, "no id")
	equal(false, detail.IsInternal, "internal")
	for _, partition := range detail.Partitions {
		equal(1, len(partition.Replicas), "replicas")
		equal(partition.Leader, partition.ISR[0], "in-sync replica")
	}
	must(got(b.admin.DeleteTopic(ctx, name)).Err)
	await("the end of the topic", func() bool {
		return !got(b.admin.ListTopics(ctx)).Has(name)
	})
	_, err := b.admin.DeleteTopic(ctx, name)
	mustBe(kerr.UnknownTopicOrPartition, err, "deleted twice")
}

func (b *broker) createRefused() {
	refused := func(expected error, name string, partitions int32, factor int16, config map[string]*string) {
		_, err := b.admin.CreateTopic(ctx, partitions, factor, config, name)
		mustBe(expected, err, name)
	}
	refused(kerr.TopicAlreadyExists, b.newTopic("exists", 1), 1, 1, nil)
	refused(kerr.InvalidPartitions, b.name("zero"), 0, 1, nil)
	refused(kerr.InvalidReplicationFactor, b.name("factor"), 1, 3, nil)
	for _, name := range []string{"not/valid", "..", strings.Repeat("x", 250)} {
		refused(kerr.InvalidTopicException, name, 1, 1, nil)
	}
	for config, value := range map[string]string{"no.such.setting": "1", "retention.ms": "soon"} {
		refused(kerr.InvalidConfig, b.name("config"), 1, 1, map[string]*string{config: &value})
	}
}

func (b *broker) partitions() {
	topic := b.newTopic("grows", 1)
	b.sendNumbers(topic, 3)
	grown := got(b.admin.CreatePartitions(ctx, 3, topic))
	must(grown.Error())
	await("4 partitions", func() bool {
		return len(got(b.admin.ListTopics(ctx, topic))[topic].Partitions) == 4
	})
	b.send([]*kgo.Record{{Topic: topic, Partition: 3}})
	equalValues(0, b.read(topic, 3))
	mustBe(kerr.InvalidPartitions, got(b.admin.UpdatePartitions(ctx, 2, topic)).Error(), "fewer")
	unknown := b.name("unknown")
	mustBe(kerr.UnknownTopicOrPartition, got(b.admin.UpdatePartitions(ctx, 2, unknown)).Error(), "unknown")
}

func (b *broker) configOf(topic string) map[string]*kadm.Config {
	resource := got(got(b.admin.DescribeTopicConfigs(ctx, topic)).On(topic, nil))
	must(resource.Err)
	configs := map[string]*kadm.Config{}
	for _, config := range resource.Configs {
		configs[config.Key] = &config
	}
	return configs
}

func (b *broker) config() {
	topic := b.newTopic("config", 1, "retention.ms", "86400000")
	before := b.configOf(topic)
	equal("86400000", before["retention.ms"].MaybeValue(), "retention.ms")
	equal("DYNAMIC_TOPIC_CONFIG", before["retention.ms"].Source.String(), "its source")
	equal("delete", before["cleanup.policy"].MaybeValue(), "cleanup.policy")
	equal("DEFAULT_CONFIG", before["cleanup.policy"].Source.String(), "its source")
	alter := func(op kadm.IncrementalOp, name, value string) error {
		change := kadm.AlterConfig{Op: op, Name: name, Value: &value}
		if op == kadm.DeleteConfig {
			change.Value = nil
		}
		return got(got(b.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{change}, topic)).On(topic, nil)).Err
	}
	must(alter(kadm.SetConfig, "max.message.bytes", "2000"))
	must(alter(kadm.DeleteConfig, "retention.ms", ""))
	after := b.configOf(topic)
	equal("2000", after["max.message.bytes"].MaybeValue(), "max.message.bytes")
	equal("604800000", after["retention.ms"].MaybeValue(), "retention.ms")
	mustBe(kerr.InvalidConfig, alter(kadm.SetConfig, "no.such.setting", "1"), "an unknown name")
	mustBe(kerr.InvalidConfig, alter(kadm.SetConfig, "retention.ms", "soon"), "no number")
	// The older way: all that is set, at once.
	value := "3000"
	state := []kadm.AlterConfig{{Name: "max.message.bytes", Value: &value}}
	must(got(got(b.admin.AlterTopicConfigsState(ctx, state, topic)).On(topic, nil)).Err)
	equal("3000", b.configOf(topic)["max.message.bytes"].MaybeValue(), "max.message.bytes")
	client := b.client()
	defer client.Close()
	err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: noise(1, 4000)}).FirstErr()
	mustBe(kerr.MessageTooLarge, err, "larger than the topic's limit")
}

func (b *broker) listOffsets() {
	topic := b.newTopic("list-offsets", 1, "retention.ms", "-1")
	base := int64(1_600_000_000_000)
	for n, ms := range []int64{0, 2000, 1000} {
		record := numbers(topic, n, n+1)[0]
		record.Timestamp = time.UnixMilli(base + ms)
		b.send([]*kgo.Record{record}, kgo.RecordDeliveryTimeout(0))
	}
	offset := func(offsets kadm.ListedOffsets, err error) string {
		must(err)
		row, _ := offsets.Lookup(topic, 0)
		must(row.Err)
		return fmt.Sprintf("%d at %d", row.Offset, row.Timestamp)
	}
	equal("0 at -1", offset(b.admin.ListStartOffsets(ctx, topic)), "start")
	equal("3 at -1", offset(b.admin.ListEndOffsets(ctx, topic)), "end")
	equal("3 at -1", offset(b.admin.ListCommittedOffsets(ctx, topic)), "last stable")
	equal("0 at -1", offset(b.admin.ListLocalLogStartOffsets(ctx, topic)), "local start")
	newest := fmt.Sprintf("1 at %d", base+2000)
	equal(newest, offset(b.admin.ListMaxTimestampOffsets(ctx, topic)), "largest timestamp")
	equal(newest, offset(b.admin.ListOffsetsAfterMilli(ctx, base+1, topic)), "by time")
}

func (b *broker) deleteRecords() {
	topic := b.newTopic("delete-records", 1)
	b.sendNumbers(topic, 10)
	before := func(offset int64) kadm.DeleteRecordsResponse {
		offsets := kadm.Offsets{}
		offsets.AddOffset(topic, 0, offset, -1)
		row, _ := got(b.admin.DeleteRecords(ctx, offsets)).Lookup(topic, 0)
		return row
	}
	row := before(4)
	must(row.Err)
	equal(4, row.LowWatermark, "low watermark")
	equalValues(4, b.read(topic, 6))
	mustBe(kerr.OffsetOutOfRange, before(11).Err, "behind the end")
	row = before(-1)
	must(row.Err)
	equal(10, row.LowWatermark, "low watermark of an empty log")
}

func (b *broker) brokers() {
	all := got(b.admin.ListBrokers(ctx))
	equal(1, len(all), "brokers")
	equal(b.address, fmt.Sprintf("%s:%d", all[0].Host, all[0].Port), "address")
	meta := got(b.admin.BrokerMetadata(ctx))
	equal(all[0].NodeID, meta.Controller, "controller")
	equal(false, meta.Cluster == "", "no cluster id")
	for _, versions := range got(b.admin.ApiVersions(ctx)) {
		must(versions.Err)
		newest, isServed := versions.KeyMaxVersion(1)
		equal(true, isServed && newest >= 17, "whether a fetch has topic ids")
	}
}

func (b *broker) groups() {
	topic, name := b.newTopic("described", 2), b.name("group")
	client := b.client(kgo.ConsumerGroup(name), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit())
	describe := func() kadm.DescribedGroup {
		return got(b.admin.DescribeGroups(ctx, name))[name]
	}
	await("a stable group", func() bool { return describe().State == "Stable" })
	equal("Stable", got(b.admin.ListGroups(ctx))[name].State, "state listed")
	described := describe()
	equal("consumer", described.ProtocolType, "protocol type")
	equal("cooperative-sticky", described.Protocol, "protocol")
	equal(1, len(described.Members), "members")
	equal("franz-go", described.Members[0].ClientID, "client id")
	assigned, _ := described.Members[0].Assigned.AsConsumer()
	equal(2, len(assigned.Topics[0].Partitions), "partitions assigned")
	mustBe(kerr.NonEmptyGroup, got(b.admin.DeleteGroups(ctx, name))[name].Err, "one that has members")
	client.Close()
	await("an empty group", func() bool { return describe().State == "Empty" })
	must(got(b.admin.DeleteGroups(ctx, name))[name].Err)
	mustBe(kerr.GroupIDNotFound, got(b.admin.DeleteGroups(ctx, name))[name].Err, "one that is gone")
}

func (b *broker) groupOffsets() {
	topic, name := b.newTopic("group-offsets", 2), b.name("group")
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 5, -1)
	offsets.Add(kadm.Offset{Topic: topic, Partition: 1, At: 7, LeaderEpoch: -1, Metadata: "text"})
	must(b.admin.CommitAllOffsets(ctx, name, offsets))
	committed := got(b.admin.FetchOffsets(ctx, name))
	zero, _ := committed.Lookup(topic, 0)
	one, _ := committed.Lookup(topic, 1)
	equal(5, zero.At, "offset of partition 0")
	equal(7, one.At, "offset of partition 1")
	equal("text", one.Metadata, "metadata")
	set := kadm.TopicsSet{}
	set.Add(topic, 1)
	deleted := got(b.admin.DeleteOffsets(ctx, name, set))
	must(deleted.Error())
	_, isThere := got(b.admin.FetchOffsets(ctx, name)).Lookup(topic, 1)
	equal(false, isThere, "there after the deletion")
}

func (b *broker) lag() {
	topic, name := b.newTopic("lag", 1), b.name("group")
	b.sendNumbers(topic, 10)
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 4, -1)
	must(b.admin.CommitAllOffsets(ctx, name, offsets))
	lag := got(b.admin.Lag(ctx, name))[name]
	must(lag.Error())
	equal(6, lag.Lag.Total(), "lag")
}
