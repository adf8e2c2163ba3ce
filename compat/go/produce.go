package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (b *broker) addProduce(c *checks) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for _, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		c.add("produce and consume: "+name, func() { b.compression(codecs[name]) })
	}
	c.add("keys, headers, null and empty values", b.fields)
	c.add("messages of 1 MB", b.large)
	acks := map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks()}
	for _, name := range []string{"0", "1", "all"} {
		c.add("produce with acks "+name, func() { b.acks(acks[name]) })
	}
	c.add("timestamps of the producer", b.createTime)
	c.add("timestamps of the broker", b.appendTime)
	c.add("a topic is made by producing to it", b.autoCreated)
	c.add("too large for the topic", b.tooLarge)
	c.add("produce: an unknown topic, an invalid name", b.unknown)
	c.addSlow("idempotence over a restart of the broker", func() { b.restart(c) })
	c.add("a transaction commits, or none is offered", b.transaction)
}

func (b *broker) compression(codec kgo.CompressionCodec) {
	topic := b.newTopic("compression", 1)
	var records []*kgo.Record
	for n := range 500 {
		value := bytes.Repeat([]byte("v"), n)
		records = append(records, &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "key %d", n), Value: value})
	}
	offsets := b.send(records, kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(20*time.Millisecond))
	for n, read := range b.read(topic, 500) {
		equal(int64(n), offsets[n], "offset sent")
		equal(int64(n), read.Offset, "offset read")
		equal(string(records[n].Key), string(read.Key), "key")
		equal(string(records[n].Value), string(read.Value), "value")
	}
}

func (b *broker) fields() {
	topic := b.newTopic("fields", 1)
	headers := []kgo.RecordHeader{
		{Key: "same", Value: []byte("one")}, {Key: "same", Value: []byte("two")}, {Key: "null"},
		{Key: "empty", Value: []byte{}}, {Key: "", Value: []byte("no name")}, {Key: "same", Value: []byte{0, 255}},
	}
	records := []*kgo.Record{
		{Key: []byte("key"), Value: []byte("value"), Headers: headers},
		{Value: []byte("no key")},
		{Key: []byte{}, Value: []byte("empty key")},
		{Key: []byte("no value")},
		{Key: []byte("empty value"), Value: []byte{}},
		{},
		{Key: []byte{0, 255, 10}, Value: []byte{0, 1, 2, 255}},
	}
	for _, record := range records {
		record.Topic = topic
	}
	b.send(records, kgo.ProducerLinger(20*time.Millisecond))
	for n, read := range b.read(topic, len(records)) {
		equal(fmt.Sprintf("%#v", records[n].Key), fmt.Sprintf("%#v", read.Key), "key")
		equal(fmt.Sprintf("%#v", records[n].Value), fmt.Sprintf("%#v", read.Value), "value")
		equal(fmt.Sprintf("%#v", records[n].Headers), fmt.Sprintf("%#v", read.Headers), "headers")
	}
}

func (b *broker) large() {
	topic := b.newTopic("large", 1)
	var records []*kgo.Record
	for n := range 8 {
		records = append(records, &kgo.Record{Topic: topic, Value: noise(int64(n), 999_000)})
	}
	b.send(records, kgo.ProducerBatchMaxBytes(1_000_012))
	small := []kgo.Opt{kgo.FetchMaxBytes(1000), kgo.FetchMaxPartitionBytes(1000)}
	for _, options := range [][]kgo.Opt{nil, small} {
		for n, read := range b.read(topic, 8, options...) {
			if !bytes.Equal(records[n].Value, read.Value) {
				fail("another value")
			}
		}
	}
}

func noise(seed int64, size int) []byte {
	value := make([]byte, size)
	rand.New(rand.NewSource(seed)).Read(value)
	return value
}

func (b *broker) acks(acks kgo.Acks) {
	topic := b.newTopic("acks", 1)
	b.send(numbers(topic, 0, 100), kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite())
	equalValues(0, b.read(topic, 100))
}

func (b *broker) createTime() {
	topic := b.newTopic("create-time", 1, "retention.ms", "-1")
	var records []*kgo.Record
	for _, ms := range []int64{1_500_000_000_000, 1_400_000_000_000, 0, 1_600_000_000_000} {
		records = append(records, &kgo.Record{Topic: topic, Timestamp: time.UnixMilli(ms)})
	}
	// A record's age counts from its timestamp, and one of years ago is given up.
	b.send(records, kgo.ProducerLinger(20*time.Millisecond), kgo.RecordDeliveryTimeout(0))
	for n, read := range b.read(topic, 4) {
		equal(records[n].Timestamp.UnixMilli(), read.Timestamp.UnixMilli(), "timestamp")
		equal(int8(0), read.Attrs.TimestampType(), "type")
	}
}

func (b *broker) appendTime() {
	topic := b.newTopic("append-time", 1, "message.timestamp.type", "LogAppendTime")
	before := time.Now().UnixMilli()
	old := &kgo.Record{Topic: topic, Timestamp: time.UnixMilli(1_500_000_000_000)}
	b.send([]*kgo.Record{old}, kgo.RecordDeliveryTimeout(0))
	after := time.Now().UnixMilli()
	read := b.read(topic, 1)[0]
	equal(int8(1), read.Attrs.TimestampType(), "type")
	if ms := read.Timestamp.UnixMilli(); ms < before || ms > after {
		fail("timestamp %d, not from %d to %d", ms, before, after)
	}
}

func (b *broker) autoCreated() {
	topic := b.name("auto-created")
	b.send(numbers(topic, 0, 1), kgo.AllowAutoTopicCreation())
	equalValues(0, b.read(topic, 1))
}

func (b *broker) tooLarge() {
	topic := b.newTopic("too-large", 1, "max.message.bytes", "10000")
	client := b.client()
	defer client.Close()
	large := &kgo.Record{Topic: topic, Value: noise(1, 20_000)}
	mustBe(kerr.MessageTooLarge, client.ProduceSync(ctx, large).FirstErr(), "large")
	small := &kgo.Record{Topic: topic, Value: []byte("small")}
	must(client.ProduceSync(ctx, small).FirstErr())
	equal(0, small.Offset, "offset")
}

func (b *broker) unknown() {
	client := b.client(kgo.UnknownTopicRetries(1))
	defer client.Close()
	unknown := &kgo.Record{Topic: b.name("unknown")}
	mustBe(kerr.UnknownTopicOrPartition, client.ProduceSync(ctx, unknown).FirstErr(), "unknown")
	invalid := &kgo.Record{Topic: "not/valid"}
	mustBe(kerr.InvalidTopicException, client.ProduceSync(ctx, invalid).FirstErr(), "invalid")
}

// Messages are on their way when the broker goes, and when it comes back.
func (b *broker) restart(c *checks) {
	topic := b.newTopic("restart", 1)
	client := b.client(
		kgo.ProducerBatchMaxBytes(512), kgo.RecordDeliveryTimeout(90*time.Second),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer client.Close()
	records := numbers(topic, 0, 4000)
	var sent sync.WaitGroup
	var mutex sync.Mutex
	var first error
	for n, record := range records {
		sent.Add(1)
		client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			mutex.Lock()
			defer mutex.Unlock()
			if first == nil {
				first = err
			}
			sent.Done()
		})
		if n%8 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
		if n == 300 {
			go c.restartBroker()
		}
	}
	sent.Wait()
	must(first)
	for n, record := range records {
		equal(int64(n), record.Offset, "offset")
	}
	equalValues(0, b.read(topic, len(records)))
}

// What is not served must not be in the list of what is.
func (b *broker) transaction() {
	topic := b.newTopic("transaction", 1)
	offered := map[int16]bool{}
	for _, versions := range got(b.admin.ApiVersions(ctx)) {
		must(versions.Err)
		versions.EachKeySorted(func(key, _, _ int16) { offered[key] = true })
	}
	keys := []int16{24, 25, 26, 28}
	for _, key := range keys {
		equal(offered[keys[0]], offered[key], fmt.Sprintf("whether key %d is offered as 24 is", key))
	}
	client := b.client(kgo.TransactionalID(b.name("transaction")))
	defer client.Close()
	err := client.BeginTransaction()
	if err == nil {
		err = client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("0")}).FirstErr()
	}
	if !offered[keys[0]] {
		equal(true, err != nil, "refused")
		return
	}
	must(err)
	must(client.EndTransaction(ctx, kgo.TryCommit))
	equalValues(0, b.read(topic, 1, kgo.FetchIsolationLevel(kgo.ReadCommitted())))
}
