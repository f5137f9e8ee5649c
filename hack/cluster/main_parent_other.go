//go:build !linux

package main

import (
	"os"
	"time"
)

func dieWithParent(parent int) {
	go func() {
		for os.Getppid() == parent {
			time.Sleep(500 * time.Millisecond)
		}
		os.Exit(1)
	}()
}
