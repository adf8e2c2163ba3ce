// Loads whose records are encoded beforehand and never decoded, so that the broker has more of the machine
// to itself: requests go through franz-go's client, but not through its producer and consumer.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	batchHeaderBytes = 61
	// Up to the end of the length: what the length does not count.
	batchLengthOverhead = 12
	recordCountPosition = 57
)

// encodeBatch makes a batch of count equal records, without a producer id.
func encodeBatch(count, bytes int) []byte {
	var records []byte
	value := valueOf(bytes)
	for i := range count {
		record := kmsg.Record{OffsetDelta: int32(i), Value: value}
		// The length counts all but itself: with 0 in its place that is a byte too many.
		record.Length = int32(len(record.AppendTo(nil)) - 1)
		records = record.AppendTo(records)
	}
	now := time.Now().UnixMilli()
	batch := kmsg.RecordBatch{
		Length:               int32(batchHeaderBytes - batchLengthOverhead + len(records)),
		PartitionLeaderEpoch: -1,
		Magic:                2,
		LastOffsetDelta:      int32(count - 1),
		FirstTimestamp:       now,
		MaxTimestamp:         now,
		ProducerID:           -1,
		ProducerEpoch:        -1,
		FirstSequence:        -1,
		NumRecords:           int32(count),
		Records:              records,
	}
	encoded := batch.AppendTo(nil)
	const crcPosition, crcStart = 17, 21
	crc := crc32.Checksum(encoded[crcStart:], crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(encoded[crcPosition:], crc)
	return encoded
}

// A topic as requests need it.
type target struct {
	leader *kgo.Broker
	id     [16]byte
}

func findTarget(ctx context.Context, client *kgo.Client, o options) (target, error) {
	if err := waitForLeaders(ctx, client, o); err != nil {
		return target{}, err
	}
	response, err := describe(ctx, client, o)
	if err != nil {
		return target{}, err
	}
	topic := response.Topics[0]
	return target{client.Broker(int(topic.Partitions[0].Leader)), topic.TopicID}, nil
}

// sendEncoded keeps --window requests under way, each with one batch for each partition.
func sendEncoded(ctx context.Context, o options) (any, error) {
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	target, err := findTarget(ctx, client, o)
	if err != nil {
		return nil, err
	}
	count := max(1, o.batch/o.bytes)
	batch := encodeBatch(count, o.bytes)
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis = -1, 30_000
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic, topic.TopicID = o.topic, target.id
	for index := range o.partitions {
		partition := kmsg.NewProduceRequestTopicPartition()
		partition.Partition, partition.Records = int32(index), batch
		topic.Partitions = append(topic.Partitions, partition)
	}
	request.Topics = append(request.Topics, topic)
	send := func() error {
		mine := *request
		response, err := target.leader.Request(ctx, &mine)
		if err != nil {
			return err
		}
		for _, partition := range response.(*kmsg.ProduceResponse).Topics[0].Partitions {
			if err := kerr.ErrorForCode(partition.ErrorCode); err != nil {
				return fmt.Errorf("partition %d: %w", partition.Partition, err)
			}
		}
		return nil
	}
	// A new topic has leaders before they know of it.
	for err := send(); err != nil; err = send() {
		if !kerr.IsRetriable(err) {
			return nil, err
		}
		time.Sleep(2 * time.Millisecond)
	}
	requests := int64(max(1, o.records/(count*o.partitions)))
	watch := startStopwatch()
	err = inParallel(o.window, &requests, send)
	sent := max(1, o.records/(count*o.partitions)) * count * o.partitions
	return watch.figures(sent, o.bytes), err
}

// inParallel does work as often as left says, in so many goroutines.
func inParallel(goroutines int, left *int64, work func() error) error {
	failed := make(chan error, goroutines)
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for atomic.AddInt64(left, -1) >= 0 {
				if err := work(); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// fetchEncoded reads --records records from the start, as the library's consumer asks: up to 1 MiB of each
// partition at once, one request under way. Of a batch it reads the header.
func fetchEncoded(ctx context.Context, o options) (any, error) {
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	target, err := findTarget(ctx, client, o)
	if err != nil {
		return nil, err
	}
	offsets := make([]int64, o.partitions)
	wireBytes := int64(0)
	ask := func() (int, error) {
		request := kmsg.NewPtrFetchRequest()
		request.MaxWaitMillis, request.MinBytes, request.MaxBytes = 500, 1, 50<<20
		// Without a session.
		request.SessionEpoch = -1
		topic := kmsg.NewFetchRequestTopic()
		topic.Topic, topic.TopicID = o.topic, target.id
		for index, offset := range offsets {
			partition := kmsg.NewFetchRequestTopicPartition()
			partition.Partition, partition.FetchOffset = int32(index), offset
			partition.PartitionMaxBytes = 1 << 20
			topic.Partitions = append(topic.Partitions, partition)
		}
		request.Topics = append(request.Topics, topic)
		response, err := target.leader.Request(ctx, request)
		if err != nil {
			return 0, err
		}
		count := 0
		for _, partition := range response.(*kmsg.FetchResponse).Topics[0].Partitions {
			if err := kerr.ErrorForCode(partition.ErrorCode); err != nil {
				return 0, fmt.Errorf("partition %d: %w", partition.Partition, err)
			}
			wireBytes += int64(len(partition.RecordBatches))
			got, next := readBatches(partition.RecordBatches)
			count += got
			if got > 0 {
				offsets[partition.Partition] = next
			}
		}
		return count, nil
	}
	watch := startStopwatch()
	count := 0
	for count < o.records {
		got, err := ask()
		if err != nil {
			return nil, err
		}
		count += got
	}
	result := watch.figures(count, o.bytes)
	result.WireBytes = wireBytes
	return result, nil
}

// readBatches counts the records of all whole batches, and tells the offset behind the last.
func readBatches(bytes []byte) (int, int64) {
	count, next := 0, int64(0)
	for len(bytes) >= batchHeaderBytes {
		length := int(binary.BigEndian.Uint32(bytes[8:])) + batchLengthOverhead
		if length > len(bytes) {
			break
		}
		base := int64(binary.BigEndian.Uint64(bytes))
		count += int(binary.BigEndian.Uint32(bytes[recordCountPosition:]))
		next = base + int64(binary.BigEndian.Uint32(bytes[23:])) + 1
		bytes = bytes[length:]
	}
	return count, next
}

// readSource asks a bare server (bench/source.ts) for --records answers of --bytes bytes, one after another:
// the position and the length go out, both little-endian, an answer of that length comes back.
func readSource(ctx context.Context, o options) (any, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", o.brokers)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	if o.bytes > math.MaxInt32 {
		return nil, fmt.Errorf("an answer of %d bytes is too long", o.bytes)
	}
	request := make([]byte, 12)
	watch := startStopwatch()
	for i := range o.records {
		binary.LittleEndian.PutUint64(request, uint64(i)*uint64(o.bytes))
		binary.LittleEndian.PutUint32(request[8:], uint32(o.bytes))
		if _, err := connection.Write(request); err != nil {
			return nil, err
		}
		// As the library does: a buffer for each answer.
		if _, err := io.ReadFull(connection, make([]byte, o.bytes)); err != nil {
			return nil, err
		}
	}
	return watch.figures(o.records, o.bytes), nil
}

// echo sends --bytes bytes --records times to a server that sends them back (bench/echo.ts).
func echo(ctx context.Context, o options) (any, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", o.brokers)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	message := valueOf(o.bytes)
	watch := startStopwatch()
	for range o.records {
		if _, err := connection.Write(message); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(connection, message); err != nil {
			return nil, err
		}
	}
	return watch.figures(o.records, o.bytes), nil
}
