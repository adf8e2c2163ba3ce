package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"
)

// serve runs kfake, one broker, and prints its address.
func serve(ctx context.Context, o options) (any, error) {
	more := []kfake.Opt{}
	if o.isSynced {
		more = append(more, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1),
		kfake.AllowAutoTopicCreation(),
		kfake.Ports(o.port),
		kfake.DataDir(o.data),
	}, more...)...)
	if err != nil {
		return nil, err
	}
	fmt.Println(cluster.ListenAddrs()[0])
	<-ctx.Done()
	cluster.Close()
	return nil, nil
}
