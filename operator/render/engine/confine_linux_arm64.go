package main

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

var refusedOfArch = []uintptr{unix.SYS_ACCEPT, unix.SYS_RENAMEAT}
