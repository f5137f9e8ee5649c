package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// allowance is the processor time that one request may take. It counts what this process uses, so that a request
// has as much on a busy machine, and what it waits for the parent costs nothing.
type allowance struct {
	limit, begun time.Duration
	mutex        sync.Mutex
	timer        *time.Timer
	ended        bool
}

func allow(limit time.Duration) *allowance {
	a := &allowance{limit: limit, begun: processorTime()}
	a.timer = time.AfterFunc(a.pause(0), a.look)
	return a
}

// end is called before the answer is sent: what is ready is not lost to the limit.
func (a *allowance) end() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.ended = true
	a.timer.Stop()
}

// overrun begins what the process says on stderr when it ends itself; the parent looks for it.
const overrun = "processor time used up"

func (a *allowance) look() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.ended {
		return
	}
	used := processorTime() - a.begun
	if used >= a.limit {
		fmt.Fprintln(os.Stderr, overrun)
		os.Exit(1)
	}
	a.timer.Reset(a.pause(used))
}

// pause is the soonest in which the rest can be used, all processors together.
func (a *allowance) pause(used time.Duration) time.Duration {
	return max((a.limit-used)/time.Duration(runtime.GOMAXPROCS(0)), 20*time.Millisecond)
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
