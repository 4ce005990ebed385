package supervise

import "syscall"

// attributes: a group of its own, so that a signal typed at a terminal reaches
// the host alone, and death with the host, however that dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
