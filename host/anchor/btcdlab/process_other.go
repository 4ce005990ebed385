//go:build !linux

package btcdlab

import "syscall"

// withParent does nothing where the system has no such thing: Close ends the node.
func withParent() *syscall.SysProcAttr { return nil }
