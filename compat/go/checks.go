package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

// How long a check may take, before it has failed, and how long it waits for one thing: what takes a moment takes
// seconds on a machine that is busy.
const (
	checkTime = 120 * time.Second
	awaitTime = 30 * time.Second
)

// A check is named work; it fails by an error, or by a panic of must and its like.
type check struct {
	name string
	work func()
}

// checks are run one after another; what they tell is a line of JSON each on standard output.
// KASKA_COMPAT_CHECK is a part of the names of the only ones to run, KASKA_COMPAT_QUICK leaves out the
// slow ones.
type checks struct {
	all []check
	in  *bufio.Reader
}

func newChecks() *checks {
	return &checks{in: bufio.NewReader(os.Stdin)}
}

func (c *checks) add(name string, work func()) {
	if strings.Contains(name, os.Getenv("KASKA_COMPAT_CHECK")) {
		c.all = append(c.all, check{name, work})
	}
}

// addSlow is for one that takes seconds, or restarts the broker.
func (c *checks) addSlow(name string, work func()) {
	if os.Getenv("KASKA_COMPAT_QUICK") == "" {
		c.add(name, work)
	}
}

func (c *checks) run() {
	var names []string
	for _, check := range c.all {
		names = append(names, check.name)
	}
	tell(map[string]any{"checks": names})
	for _, check := range c.all {
		started := time.Now()
		reason := ""
		if err := failure(check.work); err != nil {
			reason = err.Error()
		}
		ms := time.Since(started).Milliseconds()
		tell(map[string]any{"check": check.name, "ok": reason == "", "ms": ms, "reason": reason})
	}
}

// restartBroker returns when the broker is there again.
func (c *checks) restartBroker() {
	tell(map[string]any{"control": "restart"})
	_, err := c.in.ReadString('\n')
	must(err)
}

func tell(value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

func failure(work func()) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			switch value := recover().(type) {
			case nil:
				done <- nil
			case failed:
				done <- value.reason
			default:
				done <- fmt.Errorf("%v\n%s", value, debug.Stack())
			}
		}()
		work()
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(checkTime):
		return fmt.Errorf("still running after %v", checkTime)
	}
}

// failed is what a check panics with.
type failed struct{ reason error }

func fail(format string, values ...any) {
	panic(failed{fmt.Errorf(format, values...)})
}

func must(err error) {
	if err != nil {
		panic(failed{err})
	}
}

func got[T any](value T, err error) T {
	must(err)
	return value
}

func equal[T comparable](expected, actual T, what string) {
	if actual != expected {
		fail("%s: %.300s, not %.300s", what, fmt.Sprintf("%+v", actual), fmt.Sprintf("%+v", expected))
	}
}

// mustBe fails unless the error is this one.
func mustBe(expected, actual error, what string) {
	if !errors.Is(actual, expected) {
		fail("%s: %v, not %v", what, actual, expected)
	}
}

func await(what string, holds func() bool) {
	deadline := time.Now().Add(awaitTime)
	for !holds() {
		if time.Now().After(deadline) {
			fail("not in %v: %s", awaitTime, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
