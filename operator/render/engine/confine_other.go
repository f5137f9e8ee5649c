//go:build !linux

package main

import "syscall"

const rlimitData = syscall.RLIMIT_DATA

func refuseSystemCalls() error { return nil }
