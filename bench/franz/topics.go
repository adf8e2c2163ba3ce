package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func create(ctx context.Context, o options) (any, error) {
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return nil, err
	}
	watch := startStopwatch()
	request := kmsg.NewPtrCreateTopicsRequest()
	request.TimeoutMillis = 60_000
	for _, name := range o.topicNames() {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic = name
		topic.NumPartitions = int32(o.partitions)
		topic.ReplicationFactor = 1
		for setting := range strings.SplitSeq(o.config, ",") {
			name, value, isPair := strings.Cut(setting, "=")
			if !isPair {
				continue
			}
			config := kmsg.NewCreateTopicsRequestTopicConfig()
			config.Name, config.Value = name, &value
			topic.Configs = append(topic.Configs, config)
		}
		request.Topics = append(request.Topics, topic)
	}
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	for _, topic := range response.Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return nil, fmt.Errorf("%s is not created: %w", topic.Topic, err)
		}
	}
	if err := waitForLeaders(ctx, client, o); err != nil {
		return nil, err
	}
	return watch.figures(0, 0), nil
}

func remove(ctx context.Context, o options) (any, error) {
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	request := kmsg.NewPtrDeleteTopicsRequest()
	request.TimeoutMillis = 60_000
	for _, name := range o.topicNames() {
		request.TopicNames = append(request.TopicNames, name)
		topic := kmsg.NewDeleteTopicsRequestTopic()
		topic.Topic = &name
		request.Topics = append(request.Topics, topic)
	}
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	for _, topic := range response.Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return nil, fmt.Errorf("%s is not deleted: %w", *topic.Topic, err)
		}
	}
	return figures{}, nil
}

func describe(ctx context.Context, client *kgo.Client, o options) (*kmsg.MetadataResponse, error) {
	request := kmsg.NewPtrMetadataRequest()
	request.AllowAutoTopicCreation = o.isAutoCreated
	for _, name := range o.topicNames() {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &name
		request.Topics = append(request.Topics, topic)
	}
	return request.RequestWith(ctx, client)
}

// waitForLeaders returns when all partitions of the topics have a leader.
func waitForLeaders(ctx context.Context, client *kgo.Client, o options) error {
	for {
		response, err := describe(ctx, client, o)
		if err != nil {
			return err
		}
		if hasLeaders(response, o.partitions) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func hasLeaders(response *kmsg.MetadataResponse, partitions int) bool {
	for _, topic := range response.Topics {
		if topic.ErrorCode != 0 || len(topic.Partitions) < partitions {
			return false
		}
		for _, partition := range topic.Partitions {
			if partition.ErrorCode != 0 || partition.Leader < 0 {
				return false
			}
		}
	}
	return true
}

// first waits until the port is open, and then for one record to go in and come out.
func first(ctx context.Context, o options) (any, error) {
	watch := startStopwatch()
	for {
		connection, err := net.Dial("tcp", o.brokers)
		if err == nil {
			connection.Close()
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	soon := func(int) time.Duration { return 2 * time.Millisecond }
	client, err := o.client(
		kgo.AllowAutoTopicCreation(),
		kgo.RetryBackoffFn(soon),
		kgo.MetadataMinAge(10*time.Millisecond),
		kgo.ConsumeTopics(o.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	o.isAutoCreated = true
	if err := waitForLeaders(ctx, client, o); err != nil {
		return nil, err
	}
	record := &kgo.Record{Topic: o.topic, Value: valueOf(o.bytes)}
	if err := client.ProduceSync(ctx, record).FirstErr(); err != nil {
		return nil, err
	}
	for ctx.Err() == nil {
		if client.PollFetches(ctx).NumRecords() > 0 {
			return watch.figures(1, o.bytes), nil
		}
	}
	return nil, ctx.Err()
}
