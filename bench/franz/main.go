// Franz drives a broker that speaks Kafka's protocol, by franz-go, and is one itself (kfake).
//
//	franz <command> --brokers HOST:PORT [flags]
//
// Each command does one measurement and prints one JSON object, or exits with 1 and says why. What a
// command measures begins when its connection is up and its topics are known. Nothing is compressed.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type command struct {
	about string
	run   func(context.Context, options) (any, error)
}

var commands = map[string]command{
	"serve":   {"runs kfake until it is told to stop", serve},
	"first":   {"waits for a broker; one record out and in", first},
	"create":  {"creates topics", create},
	"delete":  {"deletes topics", remove},
	"produce": {"records as fast as they are taken", produce},
	"send":    {"batches that are encoded beforehand, as fast as they are taken", sendEncoded},
	"consume": {"all records, each decoded", consume},
	"fetch":   {"all batches, as they come", fetchEncoded},
	"source":  {"the answers of a bare server, as they come", readSource},
	"echo":    {"bytes that a bare server sends back, one message at a time", echo},
	"one":     {"one record at a time, each acknowledged", oneAtATime},
	"latency": {"from a producer to a consumer at a fixed rate", latency},
	"spread":  {"a record to each partition at once, all acknowledged", spread},
}

// The flags of all commands: each reads those that it needs.
type options struct {
	brokers    string
	topic      string
	topics     int
	partitions int
	config     string
	records    int
	bytes      int
	batch      int
	window     int
	rate       int
	data       string
	port       int
	isSynced   bool
	// Not a flag: may the broker create the topics as they are asked for?
	isAutoCreated bool
}

// One measurement.
type figures struct {
	Seconds float64 `json:"seconds"`
	Records int     `json:"records"`
	// Bytes of the records' values.
	ValueBytes int64 `json:"valueBytes"`
	// Bytes of the batches, headers included, where a command sees batches.
	WireBytes int64 `json:"wireBytes,omitempty"`
	// CPU time of this process.
	CPUSeconds float64 `json:"cpuSeconds"`
	// Of each record or round, sorted.
	Micros []float64 `json:"micros,omitempty"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "franz:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("a command is missing")
	}
	command, isKnown := commands[args[0]]
	if !isKnown {
		return fmt.Errorf("there is no command %q", args[0])
	}
	var o options
	flags := flag.NewFlagSet(args[0]+": "+command.about, flag.ContinueOnError)
	flags.StringVar(&o.brokers, "brokers", "127.0.0.1:9092", "where the broker is")
	flags.StringVar(&o.topic, "topic", "bench", "the topic, or what the topics' names begin with")
	flags.IntVar(&o.topics, "topics", 1, "how many topics; of more than one the names end with a number")
	flags.IntVar(&o.partitions, "partitions", 1, "of each topic")
	flags.StringVar(&o.config, "config", "", "of new topics: name=value,name=value")
	flags.IntVar(&o.records, "records", 1000, "how many, in all")
	flags.IntVar(&o.bytes, "bytes", 100, "of each record's value")
	flags.IntVar(&o.batch, "batch", 16_384, "bytes of the values in an encoded batch")
	flags.IntVar(&o.window, "window", 5, "requests under way at once")
	flags.IntVar(&o.rate, "rate", 2000, "records a second")
	flags.StringVar(&o.data, "data", "", "the directory of kfake")
	flags.IntVar(&o.port, "port", 0, "of kfake")
	flags.BoolVar(&o.isSynced, "synced", false, "kfake syncs each batch")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	result, err := command.run(ctx, o)
	if err != nil || result == nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// A client as programs have it, without compression and without waiting for more.
func (o options) client(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(o.brokers),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.UniformBytesPartitioner(64<<10, false, false, nil)),
	}, more...)...)
}

func (o options) topicNames() []string {
	if o.topics == 1 {
		return []string{o.topic}
	}
	names := make([]string, o.topics)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", o.topic, i)
	}
	return names
}

// A value of letters.
func valueOf(bytes int) []byte {
	value := make([]byte, bytes)
	for i := range value {
		value[i] = byte('a' + i%26)
	}
	return value
}

// A clock for time that passes and for this process's own CPU time.
type stopwatch struct {
	started time.Time
	cpu     float64
}

func startStopwatch() stopwatch {
	return stopwatch{time.Now(), cpuSeconds()}
}

func (s stopwatch) figures(records, bytes int) figures {
	return figures{
		Seconds:    time.Since(s.started).Seconds(),
		Records:    records,
		ValueBytes: int64(records) * int64(bytes),
		CPUSeconds: cpuSeconds() - s.cpu,
	}
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}
