package main

import (
	"fmt"
	"syscall"
)

func dieWithParent(int) {
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0)
	if errno != 0 {
		fail(fmt.Sprintf("prctl PR_SET_PDEATHSIG: %v", errno))
	}
}
