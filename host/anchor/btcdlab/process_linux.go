package btcdlab

import "syscall"

// withParent lets the node end with the program that started it, however that
// ends.
func withParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
