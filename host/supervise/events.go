package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"cloister/gate"
)

// eventName says how an event of the core is logged. The core sends numbers
// only; what they mean is fixed here and in the package named.
type eventName struct {
	level   slog.Level
	name    string
	numbers []string
	hashes  []string
}

var eventNames = map[gate.EventID]eventName{
	// gate
	gate.EventProtocol: {slog.LevelError, "gate.protocol", []string{"lane", "frame"}, nil},
	gate.EventDropped:  {slog.LevelWarn, "gate.events_dropped", []string{"count"}, nil},
	gate.EventArchived: {slog.LevelWarn, "gate.archived_unknown", []string{"claimed", "published"}, nil},
	// core
	0x0011: {slog.LevelWarn, "node.block_refused", []string{"height", "reason"}, nil},
	0x0012: {slog.LevelError, "node.other_state", []string{"height", "exec_height"}, nil},
	0x0013: {slog.LevelError, "node.execution_failed", []string{"height"}, nil},
	0x0014: {slog.LevelError, "node.archive_gap", []string{"from", "to"}, nil},
	0x0015: {slog.LevelInfo, "node.catch_up", []string{"from", "target"}, nil},
	0x0016: {slog.LevelInfo, "node.caught_up", []string{"height"}, nil},
	0x0017: {slog.LevelDebug, "node.flushed", []string{"height"}, nil},
	0x0018: {slog.LevelError, "node.not_durable", nil, nil},
	0x0019: {slog.LevelInfo, "node.observer", []string{"epoch"}, nil},
	0x001a: {slog.LevelWarn, "node.stray_answer", []string{"token"}, nil},
	0x001b: {slog.LevelInfo, "node.member", []string{"slot"}, nil},
	0x001c: {slog.LevelInfo, "node.epoch", []string{"epoch"}, nil},
	0x001d: {slog.LevelError, "node.members_that_cannot_follow", []string{"epoch"}, nil},
	0x001e: {slog.LevelError, "node.members_unknown", []string{"epoch"}, nil},
	0x001f: {slog.LevelError, "node.superseded", []string{"code"}, nil},
	0x0040: {slog.LevelError, "node.no_evidence", nil, nil},
	0x0041: {slog.LevelWarn, "node.own_refused", []string{"code"}, nil},
	// core/drive
	0x0020: {slog.LevelInfo, "core.started", []string{"height", "log_records"}, nil},
	0x0021: {slog.LevelWarn, "core.slow_step", []string{"milliseconds"}, nil},
	0x0022: {slog.LevelWarn, "core.slow_disk", []string{"seconds"}, nil},
	0x0023: {slog.LevelInfo, "core.ended", []string{"exit_code"}, nil},
	0x0024: {slog.LevelInfo, "peer.up", nil, []string{"node"}},
	0x0025: {slog.LevelInfo, "peer.down", nil, []string{"node"}},
	0x0026: {slog.LevelError, "core.bad_configuration", nil, nil},
	0x0027: {slog.LevelError, "core.unpublished", []string{"height"}, nil},
	// core/consensus/raft
	0x0101: {slog.LevelWarn, "raft.void", []string{"index", "height", "slot"}, nil},
	0x0102: {slog.LevelInfo, "raft.leading", []string{"term"}, nil},
	0x0103: {slog.LevelError, "raft.fork", []string{"height"}, nil},
	0x0104: {slog.LevelError, "raft.odd_one_out", []string{"height"}, nil},
	0x0105: {slog.LevelError, "raft.log_contradicts", []string{"index"}, nil},
	0x0106: {slog.LevelError, "raft.broken", nil, nil},
	0x0107: {slog.LevelInfo, "raft.epoch", []string{"epoch", "index"}, nil},
	0x0108: {slog.LevelWarn, "raft.void_change", []string{"index", "epoch"}, nil},
	0x0109: {slog.LevelError, "raft.rolled_back", []string{"height", "term"}, nil},
	// core/consensus/solo
	0x0201: {slog.LevelError, "solo.log_contradicts", nil, nil},
}

// eventLog writes events at a bounded rate: a core that misbehaves must not
// fill the host's disk with its log.
type eventLog struct {
	log *slog.Logger
	now func() time.Time

	// Only the control lane's reader uses these.
	second  time.Time // the current one began then
	count   int       // of events in it
	dropped int
}

// admit reports whether one more event may be logged in this second.
func (l *eventLog) admit() bool {
	if t := l.now(); t.Sub(l.second) >= time.Second || t.Before(l.second) {
		if l.dropped > 0 {
			l.log.Warn("core.events_dropped", "count", l.dropped)
		}
		l.second, l.count, l.dropped = t, 0, 0
	}
	if l.count >= gate.MaxEvents {
		l.dropped++
		return false
	}
	l.count++
	return true
}

func (l *eventLog) event(e gate.Event) {
	if !l.admit() {
		return
	}
	n, known := eventNames[e.ID]
	if !known {
		n = eventName{level: slog.LevelWarn, name: "core.event"}
	}
	attrs := []slog.Attr{slog.Int("event", int(e.ID))}
	for i, v := range e.Numbers {
		attrs = append(attrs, slog.Uint64(label(n.numbers, "n", i), v))
	}
	for i, h := range e.Hashes {
		attrs = append(attrs, slog.String(label(n.hashes, "h", i), h.String()))
	}
	l.log.LogAttrs(context.Background(), n.level, n.name, attrs...)
}

// label names the i-th value; what the table does not name gets a number.
func label(names []string, otherwise string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprint(otherwise, i)
}

func (l *eventLog) fatal(f gate.Fatal) {
	if !l.admit() {
		return
	}
	l.log.Error("core.fatal", "exit_code", f.Code, "event", int(f.Event), "name", eventNames[f.Event].name, "evidence", f.Hash.String())
}
