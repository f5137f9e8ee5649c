package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

const parentFlag = "--die-with-parent="

// In init and not in main: the runtime runs init functions on the process's
// main thread, and Linux ties the request to the thread that makes it.
func init() {
	if len(os.Args) < 2 || !strings.HasPrefix(os.Args[1], parentFlag) {
		return
	}
	parent, err := strconv.Atoi(strings.TrimPrefix(os.Args[1], parentFlag))
	if err != nil {
		fail(fmt.Sprintf("%s wants a process id: %v", parentFlag, err))
	}
	dieWithParent(parent)
	if os.Getppid() != parent {
		fail(fmt.Sprintf("the parent process %d has ended already", parent))
	}
}

func withoutParentFlag(args []string) []string {
	if len(args) > 1 && strings.HasPrefix(args[1], parentFlag) {
		return append(args[:1:1], args[2:]...)
	}
	return args
}

// become replaces this process by another program, found as a shell finds it.
// On Linux what --die-with-parent asked for stays with the process.
func become(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("exec: which program?")
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return syscall.Exec(path, args, os.Environ())
}
