package main

import (
	"errors"
	"net/http"
	"os"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // time zones come with the program, not from the machine
)

// confine takes from the process what rendering does not need.
func confine(memory int64) error {
	os.Clearenv()
	if err := lowerPriority(); err != nil {
		return err
	}
	giveWayForMemory()
	time.Local = time.UTC
	http.DefaultTransport = refusingTransport{}
	http.DefaultClient = &http.Client{Transport: refusingTransport{}}
	// Templates that recurse without end stop here, before they take the memory of a whole process. Helm's own
	// bound, 1,000 includes of one template in itself, fits in with room to spare.
	debug.SetMaxStack(16 << 20)
	debug.SetMemoryLimit(memory * 3 / 4)
	limit := &syscall.Rlimit{Cur: uint64(memory), Max: uint64(memory)}
	if err := syscall.Setrlimit(rlimitData, limit); err != nil {
		return err
	}
	return refuseSystemCalls()
}

type refusingTransport struct{}

func (refusingTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("the engine has no network")
}
