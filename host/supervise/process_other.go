//go:build unix && !linux

package supervise

import "syscall"

// attributes: a group of its own, so that a signal typed at a terminal reaches
// the host alone. Elsewhere than on Linux the core notices the host's death by
// its closed lanes only.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
