package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The client's own time limits end its calls.
var ctx = context.Background()

// broker is what the checks are run on: clients of it, and topics and groups with names of their own.
type broker struct {
	address string
	admin   *kadm.Client
	named   int
}

func newBroker(address string) *broker {
	b := &broker{address: address}
	b.admin = kadm.NewClient(b.client())
	return b
}

func (b *broker) client(options ...kgo.Opt) *kgo.Client {
	all := []kgo.Opt{
		kgo.SeedBrokers(b.address),
		kgo.ClientID("franz-go"),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.FetchMaxWait(200 * time.Millisecond),
		kgo.RecordDeliveryTimeout(30 * time.Second),
		kgo.RetryTimeout(20 * time.Second),
		kgo.ProducerLinger(0),
	}
	return got(kgo.NewClient(append(all, options...)...))
}

// name is one that no other check has.
func (b *broker) name(prefix string) string {
	b.named++
	return fmt.Sprintf("%s-%d-%d", prefix, time.Now().UnixMilli()%1e8, b.named)
}

// newTopic makes one, and returns when it can be used; config is name, value, name, value...
// One for messages of long ago has to keep them: retention.ms -1.
func (b *broker) newTopic(prefix string, partitions int32, config ...string) string {
	return b.newTopicNamed(b.name(prefix), partitions, config...)
}

func (b *broker) newTopicNamed(name string, partitions int32, config ...string) string {
	configs := map[string]*string{}
	for index := 0; index < len(config); index += 2 {
		configs[config[index]] = kadm.StringPtr(config[index+1])
	}
	made := got(b.admin.CreateTopic(ctx, partitions, -1, configs, name))
	must(made.Err)
	await("a leader of each partition", func() bool {
		offsets, err := b.admin.ListEndOffsets(ctx, name)
		return err == nil && offsets.Error() == nil
	})
	return name
}

// send sends records with one producer, and returns their offsets.
func (b *broker) send(records []*kgo.Record, options ...kgo.Opt) []int64 {
	client := b.client(append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}, options...)...)
	defer client.Close()
	must(client.ProduceSync(ctx, records...).FirstErr())
	var offsets []int64
	for _, record := range records {
		offsets = append(offsets, record.Offset)
	}
	return offsets
}

// sendNumbers sends the values from 0 to count - 1 to partition 0.
func (b *broker) sendNumbers(topic string, count int) {
	b.send(numbers(topic, 0, count))
}

func numbers(topic string, from, to int) (records []*kgo.Record) {
	for n := from; n < to; n++ {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(strconv.Itoa(n))})
	}
	return records
}

// read returns so many records of partition 0 from the beginning.
func (b *broker) read(topic string, count int, options ...kgo.Opt) []*kgo.Record {
	return b.readAt(topic, kgo.NewOffset().AtStart(), count, options...)
}

func (b *broker) readAt(topic string, offset kgo.Offset, count int, options ...kgo.Opt) []*kgo.Record {
	at := kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: offset}})
	client := b.client(append(options, at)...)
	defer client.Close()
	return take(client, count)
}

// take polls until there are so many, and fails if there are more.
func take(client *kgo.Client, count int) (records []*kgo.Record) {
	ctx, cancel := context.WithTimeout(context.Background(), awaitTime)
	defer cancel()
	for len(records) < count {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			fail("%d records in %v, not %d", len(records), awaitTime, count)
		}
		must(fetches.Err())
		records = append(records, fetches.Records()...)
	}
	equal(count, len(records), "records read")
	return records
}

func equalValues(from int, records []*kgo.Record) {
	for n, record := range records {
		equal(strconv.Itoa(from+n), string(record.Value), "value")
	}
}
