package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sort"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// produce sends records as a program does that has many: each by Produce, with a callback.
func produce(ctx context.Context, o options) (any, error) {
	client, err := o.client(kgo.MaxBufferedRecords(100_000))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := warmUp(ctx, client, o); err != nil {
		return nil, err
	}
	names := o.topicNames()
	value := valueOf(o.bytes)
	var failure error
	var once sync.Once
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			once.Do(func() { failure = err })
		}
	}
	watch := startStopwatch()
	for i := range o.records {
		client.Produce(ctx, &kgo.Record{Topic: names[i%len(names)], Value: value}, promise)
	}
	if err := client.Flush(ctx); err != nil {
		return nil, err
	}
	return watch.figures(o.records, o.bytes), failure
}

// warmUp opens the connection and gets to know the topics and the producer id: one record for each topic.
func warmUp(ctx context.Context, client *kgo.Client, o options) error {
	if err := waitForLeaders(ctx, client, o); err != nil {
		return err
	}
	var records []*kgo.Record
	for _, name := range o.topicNames() {
		records = append(records, &kgo.Record{Topic: name, Value: []byte{}})
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

// consume reads --records records from the start of the topics, each decoded by the library.
func consume(ctx context.Context, o options) (any, error) {
	client, err := o.client(
		kgo.ConsumeTopics(o.topicNames()...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	watch := startStopwatch()
	count, bytes := 0, int64(0)
	for count < o.records {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, err
		}
		for _, failure := range fetches.Errors() {
			return nil, fmt.Errorf("%s/%d: %w", failure.Topic, failure.Partition, failure.Err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			count++
			bytes += int64(len(record.Value))
		})
	}
	result := watch.figures(count, 0)
	result.ValueBytes = bytes
	return result, nil
}

// oneAtATime waits for each record's acknowledgement before it sends the next.
func oneAtATime(ctx context.Context, o options) (any, error) {
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := warmUp(ctx, client, o); err != nil {
		return nil, err
	}
	value := valueOf(o.bytes)
	times := make([]float64, 0, o.records)
	watch := startStopwatch()
	for range o.records {
		started := time.Now()
		record := &kgo.Record{Topic: o.topic, Value: value}
		if err := client.ProduceSync(ctx, record).FirstErr(); err != nil {
			return nil, err
		}
		times = append(times, float64(time.Since(started).Nanoseconds())/1e3)
	}
	return withTimes(watch.figures(o.records, o.bytes), times), nil
}

// latency sends records at a fixed rate and reads them by another client: the times from the call of
// Produce to the record's arrival in the consumer. The first half second is not counted.
func latency(ctx context.Context, o options) (any, error) {
	consumer, err := o.client(
		kgo.ConsumeTopics(o.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	producer, err := o.client()
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	if err := warmUp(ctx, producer, o); err != nil {
		return nil, err
	}
	if consumer.PollFetches(ctx).NumRecords() != 1 {
		return nil, fmt.Errorf("the first record is not there")
	}
	uncounted := o.rate / 2
	total := uncounted + o.records
	started := time.Now()
	failed := make(chan error, 1)
	go func() {
		interval := time.Second / time.Duration(o.rate)
		for i := range total {
			sleepUntil(started.Add(time.Duration(i) * interval))
			value := valueOf(o.bytes)
			binary.BigEndian.PutUint64(value, uint64(time.Since(started)))
			producer.Produce(ctx, &kgo.Record{Topic: o.topic, Value: value}, func(_ *kgo.Record, err error) {
				if err != nil {
					failed <- err
				}
			})
		}
	}()
	times := make([]float64, 0, o.records)
	watch := startStopwatch()
	for seen := 0; seen < total; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		now := time.Since(started)
		fetches.EachRecord(func(record *kgo.Record) {
			seen++
			if seen > uncounted {
				sent := time.Duration(binary.BigEndian.Uint64(record.Value))
				times = append(times, float64((now-sent).Nanoseconds())/1e3)
			}
		})
		select {
		case err := <-failed:
			return nil, err
		default:
		}
	}
	return withTimes(watch.figures(total, o.bytes), times), nil
}

// sleepUntil is exact to some 60 microseconds, which timers of the runtime are not.
func sleepUntil(moment time.Time) {
	for {
		left := time.Until(moment)
		if left <= 0 {
			return
		}
		pause := syscall.NsecToTimespec(left.Nanoseconds())
		_ = syscall.Nanosleep(&pause, nil)
	}
}

// spread sends a record to each partition of a topic at once, and waits for all; --records rounds.
func spread(ctx context.Context, o options) (any, error) {
	client, err := o.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := waitForLeaders(ctx, client, o); err != nil {
		return nil, err
	}
	value := valueOf(o.bytes)
	round := func() error {
		records := make([]*kgo.Record, o.partitions)
		for i := range records {
			records[i] = &kgo.Record{Topic: o.topic, Partition: int32(i), Value: value}
		}
		return client.ProduceSync(ctx, records...).FirstErr()
	}
	for range 2 {
		if err := round(); err != nil {
			return nil, err
		}
	}
	times := make([]float64, 0, o.records)
	watch := startStopwatch()
	for range o.records {
		started := time.Now()
		if err := round(); err != nil {
			return nil, err
		}
		times = append(times, float64(time.Since(started).Nanoseconds())/1e3)
	}
	return withTimes(watch.figures(o.records*o.partitions, o.bytes), times), nil
}

func withTimes(result figures, times []float64) figures {
	sort.Float64s(times)
	result.Micros = times
	return result
}
