package main

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Requests of a kind that the client makes for itself, one by one.
func (b *broker) addRequests(c *checks) {
	c.add("fetch session: what is new, and no more", b.session)
	c.add("fetch session: partitions added and forgotten", b.sessionParts)
	c.add("fetch session: what is refused", b.sessionRefused)
	c.add("fetch by topic id: an unknown one", b.unknownID)
	c.add("offset for leader epoch", b.leaderEpoch)
}

// fetched are the partitions of an answer.
type fetched = map[int32]kmsg.FetchResponseTopicPartition

// fetcher is one fetch session, on one connection.
type fetcher struct {
	client *kgo.Client
	to     *kgo.Broker
	id     [16]byte
	next   *kmsg.FetchRequest
}

func (b *broker) fetcher(topic string) *fetcher {
	client := b.client()
	node := got(b.admin.ListBrokers(ctx))[0].NodeID
	id := got(b.admin.ListTopics(ctx, topic))[topic].ID
	next := kmsg.NewPtrFetchRequest()
	next.MaxWaitMillis = 100
	next.MinBytes = 1
	next.SessionEpoch = 0
	return &fetcher{client, client.Broker(int(node)), id, next}
}

// fetch asks for the partitions at these offsets, and returns the partitions of the answer.
func (f *fetcher) fetch(offsets map[int32]int64, forgotten ...int32) (*kmsg.FetchResponse, fetched) {
	topic := kmsg.NewFetchRequestTopic()
	topic.TopicID = f.id
	for number, offset := range offsets {
		partition := kmsg.NewFetchRequestTopicPartition()
		partition.Partition = number
		partition.FetchOffset = offset
		partition.PartitionMaxBytes = 1 << 20
		topic.Partitions = append(topic.Partitions, partition)
	}
	f.next.Topics = nil
	if len(offsets) > 0 {
		f.next.Topics = append(f.next.Topics, topic)
	}
	f.next.ForgottenTopics = nil
	if len(forgotten) > 0 {
		gone := kmsg.NewFetchRequestForgottenTopic()
		gone.TopicID = f.id
		gone.Partitions = forgotten
		f.next.ForgottenTopics = append(f.next.ForgottenTopics, gone)
	}
	answer := got(f.to.Request(ctx, f.next)).(*kmsg.FetchResponse)
	if f.next.SessionEpoch >= 0 {
		f.next.SessionID = answer.SessionID
		f.next.SessionEpoch++
	}
	rows := fetched{}
	for _, topic := range answer.Topics {
		for _, row := range topic.Partitions {
			rows[row.Partition] = row
		}
	}
	return answer, rows
}

func (b *broker) session() {
	topic := b.newTopic("session", 3)
	f := b.fetcher(topic)
	defer f.client.Close()
	answer, rows := f.fetch(map[int32]int64{0: 0, 1: 0, 2: 0})
	equal(0, answer.ErrorCode, "error")
	equal(false, answer.SessionID == 0, "no session")
	equal(3, len(rows), "partitions of a full answer")
	answer, rows = f.fetch(nil)
	equal(f.next.SessionID, answer.SessionID, "session")
	equal(0, len(rows), "partitions with nothing new")
	b.send([]*kgo.Record{{Topic: topic, Partition: 1, Value: []byte("0")}})
	_, rows = f.fetch(nil)
	equal(1, len(rows), "partitions with something new")
	equal(1, rows[1].HighWatermark, "high watermark")
	equal(true, len(rows[1].RecordBatches) > 61, "a batch")
	// Its position is what was asked for last: the same again until it moves on.
	_, rows = f.fetch(nil)
	equal(true, len(rows[1].RecordBatches) > 61, "the batch again")
	_, rows = f.fetch(map[int32]int64{1: 1})
	equal(0, len(rows), "partitions at their ends")
}

func (b *broker) sessionParts() {
	topic := b.newTopic("session", 4)
	f := b.fetcher(topic)
	defer f.client.Close()
	f.fetch(map[int32]int64{0: 0, 1: 0})
	_, rows := f.fetch(map[int32]int64{2: 0})
	equal(1, len(rows), "partitions of the answer to one that is added")
	f.fetch(nil, 0)
	var records []*kgo.Record
	for partition := range int32(4) {
		records = append(records, &kgo.Record{Topic: topic, Partition: partition})
	}
	b.send(records)
	_, rows = f.fetch(nil)
	_, hasForgotten := rows[0]
	equal(false, hasForgotten, "has the one that was forgotten")
	equal(2, len(rows), "partitions")
}

func (b *broker) sessionRefused() {
	topic := b.newTopic("session", 1)
	f := b.fetcher(topic)
	defer f.client.Close()
	f.fetch(map[int32]int64{0: 0})
	f.next.SessionEpoch += 5
	answer, _ := f.fetch(nil)
	mustBe(kerr.InvalidFetchSessionEpoch, kerr.ErrorForCode(answer.ErrorCode), "a later epoch")
	f.next.SessionID = 123456789
	f.next.SessionEpoch = 1
	answer, _ = f.fetch(nil)
	mustBe(kerr.FetchSessionIDNotFound, kerr.ErrorForCode(answer.ErrorCode), "another session")
	// Epoch 0 begins one, and -1 ends it.
	f.next.SessionID, f.next.SessionEpoch = 0, 0
	begun, _ := f.fetch(map[int32]int64{0: 0})
	f.next.SessionEpoch = -1
	answer, rows := f.fetch(map[int32]int64{0: 0})
	equal(0, answer.ErrorCode, "error of the last")
	equal(0, answer.SessionID, "session of the last")
	equal(1, len(rows), "partitions of the last")
	f.next.SessionID, f.next.SessionEpoch = begun.SessionID, 1
	answer, _ = f.fetch(nil)
	mustBe(kerr.FetchSessionIDNotFound, kerr.ErrorForCode(answer.ErrorCode), "one that was ended")
}

func (b *broker) unknownID() {
	f := b.fetcher(b.newTopic("known", 1))
	defer f.client.Close()
	f.id = [16]byte{1, 2, 3}
	_, rows := f.fetch(map[int32]int64{0: 0})
	mustBe(kerr.UnknownTopicID, kerr.ErrorForCode(rows[0].ErrorCode), "partition")
}

func (b *broker) leaderEpoch() {
	topic := b.newTopic("epoch", 1)
	b.sendNumbers(topic, 5)
	epoch := b.read(topic, 5)[4].LeaderEpoch
	request := kmsg.NewPtrOffsetForLeaderEpochRequest()
	row := kmsg.NewOffsetForLeaderEpochRequestTopic()
	row.Topic = topic
	partition := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	partition.LeaderEpoch = epoch
	row.Partitions = append(row.Partitions, partition)
	request.Topics = append(request.Topics, row)
	client := b.client()
	defer client.Close()
	for _, shard := range client.RequestSharded(ctx, request) {
		must(shard.Err)
		answer := shard.Resp.(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]
		must(kerr.ErrorForCode(answer.ErrorCode))
		equal(5, answer.EndOffset, "end of the epoch")
		equal(epoch, answer.LeaderEpoch, "epoch")
	}
}
