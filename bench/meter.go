package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticks per second of /proc times on every Linux that Go supports.
const ticks = 100

// meter reads what processes used from /proc (Linux). Elsewhere, and for
// processes of other users, costs read as zero.
type meter struct {
	pids      []int
	begin     time.Time
	cpu, self float64
	written   int64
}

func startMeter(pids []int) *meter {
	return &meter{pids: pids, begin: time.Now(), cpu: cpuSeconds(pids), self: selfSeconds(), written: writtenBytes(pids)}
}

// stop fills in the costs of a window in which sealed transactions were sealed.
func (m *meter) stop(r *Result, sealed int64) {
	r.Seconds = time.Since(m.begin).Seconds()
	r.Sealed, r.SealedTPS = sealed, float64(sealed)/r.Seconds
	if sealed > 0 {
		r.CPUPer1000 = (cpuSeconds(m.pids) - m.cpu) * 1000 / float64(sealed)
		r.ClientPer1k = (selfSeconds() - m.self) * 1000 / float64(sealed)
		r.DiskPerTx = float64(writtenBytes(m.pids)-m.written) / float64(sealed)
	}
	r.RSSMiB = peakMiB(m.pids)
}

func cpuSeconds(pids []int) (s float64) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		// The name, in parentheses, may hold anything; fields count from its end.
		fields := strings.Fields(string(b)[strings.LastIndexByte(string(b), ')')+1:])
		if len(fields) < 13 {
			continue
		}
		user, _ := strconv.ParseFloat(fields[11], 64)
		system, _ := strconv.ParseFloat(fields[12], 64)
		s += (user + system) / ticks
	}
	return s
}

func selfSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func peakMiB(pids []int) (mib float64) {
	for _, pid := range pids {
		mib += float64(procField(fmt.Sprintf("/proc/%d/status", pid), "VmHWM:")) / 1024
	}
	return mib
}

func writtenBytes(pids []int) (n int64) {
	for _, pid := range pids {
		n += procField(fmt.Sprintf("/proc/%d/io", pid), "write_bytes:")
	}
	return n
}

// procField is the number after a name in a file of "name number" lines.
func procField(path, name string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				n, _ := strconv.ParseInt(f[0], 10, 64)
				return n
			}
		}
	}
	return 0
}

// Family is the processes and all their descendants, so that each host is
// measured together with its trusted core.
func Family(pids []int) []int {
	all := append([]int(nil), pids...)
	for i := 0; i < len(all); i++ {
		tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", all[i]))
		for _, t := range tasks {
			b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", all[i], t.Name()))
			for _, f := range strings.Fields(string(b)) {
				if n, err := strconv.Atoi(f); err == nil {
					all = append(all, n)
				}
			}
		}
	}
	return all
}
