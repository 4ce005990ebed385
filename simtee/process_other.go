//go:build unix && !linux

package simtee

import "syscall"

// attributes: elsewhere than on Linux the program notices the machine's death by
// its closed hardware connection only.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
