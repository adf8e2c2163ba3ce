package main

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (b *broker) addConsume(c *checks) {
	c.add("consume from an offset, the end, and by time", b.offsets)
	c.add("offset out of range", b.outOfRange)
	c.add("a consumer at the end gets a message at once", b.atTheEnd)
	c.add("many partitions: the same with and without a fetch session", b.manyPartitions)
	c.add("batches of all kinds in one partition", b.mixed)
	c.add("subscription by pattern, a topic that comes later", b.pattern)
	c.add("a topic that is made again starts anew", b.madeAgain)
	c.add("consume: an unknown topic", b.unknownTopic)
}

func (b *broker) offsets() {
	topic := b.newTopic("offsets", 1, "retention.ms", "-1")
	base := int64(1_600_000_000_000)
	records := numbers(topic, 0, 20)
	for n, record := range records {
		record.Timestamp = time.UnixMilli(base + int64(n)*1000)
	}
	b.send(records, kgo.RecordDeliveryTimeout(0))
	equalValues(7, b.readAt(topic, kgo.NewOffset().At(7), 13))
	equalValues(15, b.readAt(topic, kgo.NewOffset().AtEnd().Relative(-5), 5))
	equalValues(3, b.readAt(topic, kgo.NewOffset().AtStart().Relative(3), 17))
	equalValues(11, b.readAt(topic, kgo.NewOffset().AfterMilli(base+10_001), 9))
}

func (b *broker) outOfRange() {
	topic := b.newTopic("out-of-range", 1)
	b.sendNumbers(topic, 5)
	beyond := kgo.NewOffset().At(100)
	equalValues(0, b.readAt(topic, beyond, 5, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())))
	at := kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: beyond}})
	client := b.client(at, kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	defer client.Close()
	mustBe(kerr.OffsetOutOfRange, client.PollFetches(ctx).Err(), "poll beyond the end")
}

func (b *broker) atTheEnd() {
	topic := b.newTopic("at-the-end", 1)
	at := kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}})
	client := b.client(at, kgo.FetchMaxWait(20*time.Second))
	defer client.Close()
	empty, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	client.PollFetches(empty)
	for n := range 5 {
		started := time.Now()
		must(client.ProduceSync(ctx, numbers(topic, n, n+1)[0]).FirstErr())
		equalValues(n, take(client, 1))
		if waited := time.Since(started); waited > 10*time.Second {
			fail("after %v", waited)
		}
	}
}

func (b *broker) manyPartitions() {
	topic := b.newTopic("many-partitions", 30)
	inSession := b.client(kgo.ConsumeTopics(topic))
	defer inSession.Close()
	without := b.client(kgo.ConsumeTopics(topic), kgo.DisableFetchSessions())
	defer without.Close()
	for round := range 30 {
		b.send([]*kgo.Record{{Topic: topic, Partition: int32(round * 7 % 30), Value: []byte(strconv.Itoa(round))}})
		equalValues(round, take(inSession, 1))
		equalValues(round, take(without, 1))
	}
	all := map[string][]int32{topic: {0, 1, 2, 3, 4}}
	inSession.PauseFetchPartitions(all)
	var records []*kgo.Record
	for n := range int32(10) {
		records = append(records, &kgo.Record{Topic: topic, Partition: n})
	}
	b.send(records)
	for _, record := range take(inSession, 5) {
		equal(true, record.Partition >= 5, "a partition that is not paused")
	}
	inSession.ResumeFetchPartitions(all)
	for _, record := range take(inSession, 5) {
		equal(true, record.Partition < 5, "a partition that was paused")
	}
}

func (b *broker) mixed() {
	topic := b.newTopic("mixed", 1)
	codecs := []kgo.CompressionCodec{
		kgo.GzipCompression(), kgo.NoCompression(), kgo.ZstdCompression(),
		kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.NoCompression(),
	}
	linger := kgo.ProducerLinger(20 * time.Millisecond)
	for n, codec := range codecs {
		b.send(numbers(topic, n*50, n*50+50), kgo.ProducerBatchCompression(codec), linger)
	}
	equalValues(0, b.read(topic, 300, kgo.FetchMaxPartitionBytes(700)))
	// From the middle of a compressed batch.
	equalValues(125, b.readAt(topic, kgo.NewOffset().At(125), 175))
}

func (b *broker) pattern() {
	prefix := b.name("pattern")
	first := b.newTopic(prefix+"-yes", 1)
	b.sendNumbers(first, 1)
	b.sendNumbers(b.newTopic(prefix+"-no", 1), 1)
	client := b.client(
		kgo.ConsumeTopics(prefix+"-yes.*"), kgo.ConsumeRegex(), kgo.MetadataMaxAge(500*time.Millisecond))
	defer client.Close()
	equal(first, take(client, 1)[0].Topic, "topic")
	second := b.newTopic(prefix+"-yes", 1)
	b.sendNumbers(second, 1)
	equal(second, take(client, 1)[0].Topic, "topic made later")
}

func (b *broker) madeAgain() {
	topic := b.newTopic("made-again", 1)
	producer := b.client(kgo.MetadataMaxAge(500 * time.Millisecond))
	defer producer.Close()
	for n := range 5 {
		must(producer.ProduceSync(ctx, numbers(topic, n, n+1)[0]).FirstErr())
	}
	old := got(b.admin.ListTopics(ctx, topic))[topic].ID
	must(got(b.admin.DeleteTopic(ctx, topic)).Err)
	must(got(b.admin.CreateTopic(ctx, 1, -1, nil, topic)).Err)
	await("another id", func() bool {
		return got(b.admin.ListTopics(ctx, topic))[topic].ID != old
	})
	// The client drops what is under way for the old one, and asks to be told to go on.
	producer.PurgeTopicsFromClient(topic)
	record := numbers(topic, 0, 1)[0]
	must(producer.ProduceSync(ctx, record).FirstErr())
	equal(0, record.Offset, "offset in the new topic")
	equalValues(0, b.read(topic, 1))
}

func (b *broker) unknownTopic() {
	topic := b.name("unknown")
	client := b.client(kgo.ConsumeTopics(topic), kgo.MetadataMaxAge(500*time.Millisecond))
	defer client.Close()
	brief, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	equal(0, len(client.PollFetches(brief).Records()), "records of no topic")
	b.newTopicNamed(topic, 1)
	b.sendNumbers(topic, 1)
	equalValues(0, take(client, 1))
}
