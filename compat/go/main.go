// The checks of franz-go: a Kafka client in Go. Its last argument is the broker's address.
package main

import "os"

func main() {
	c := newChecks()
	b := newBroker(os.Args[len(os.Args)-1])
	b.addProduce(c)
	b.addConsume(c)
	b.addRequests(c)
	b.addGroups(c)
	b.addAdmin(c)
	c.run()
}
