package simtee

import "syscall"

// attributes: the program dies with the machine, however that dies. It stays in
// the machine's process group, so that ending the group ends both.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
