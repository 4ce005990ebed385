package api

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cloister/host/archive"
	"cloister/wire"
)

// metrics are labelled by procedure and code only: both come from fixed lists.
// A hash, a peer or a path as label would let users fill the host's memory.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	txs      *prometheus.CounterVec
	blocks   prometheus.Counter
	recorded prometheus.Counter
}

func newMetrics(registry *prometheus.Registry, s *Server) (*metrics, error) {
	const space, sub = "cloister", "api"
	name := func(n string) string { return prometheus.BuildFQName(space, sub, n) }
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("requests_total"), Help: "Calls answered, by procedure and code.",
		}, []string{"procedure", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name("request_seconds"), Help: "Time to answer a call, waiting included.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}, []string{"procedure"}),
		txs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("transactions_total"), Help: "Transactions submitted, by what admission said.",
		}, []string{"code"}),
		blocks:   prometheus.NewCounter(prometheus.CounterOpts{Name: name("blocks_total"), Help: "Blocks archived since start."}),
		recorded: prometheus.NewCounter(prometheus.CounterOpts{Name: name("recorded_total"), Help: "Transactions archived since start."}),
	}
	gauge := func(n, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name(n), Help: help}, f)
	}
	for _, c := range []prometheus.Collector{
		m.requests, m.seconds, m.txs, m.blocks, m.recorded,
		gauge("height", "Newest archived block.", func() float64 { return float64(s.archived.now()) }),
		gauge("sealed_height", "Newest archived block with a seal of its own.", func() float64 { return float64(s.sealed.now()) }),
		gauge("waiting", "Transactions somebody waits for.", func() float64 { return float64(s.waiters.waiting()) }),
		gauge("pending", "Transactions accepted here and not seen recorded.", func() float64 { return float64(s.pending.len()) }),
		gauge("in_progress", "Calls in progress.", func() float64 { return float64(s.bounds.requests.Load()) }),
		gauge("streams", "Streams open.", func() float64 { return float64(s.bounds.streams.Load()) }),
		gauge("buffered_bytes", "Bytes of requests in progress.", func() float64 { return float64(s.bounds.buffered.Load()) }),
		gauge("ready", "1 if transactions can be submitted.", func() float64 {
			if s.ready() != nil {
				return 0
			}
			return 1
		}),
		gauge("core_restarts", "Restarts of the core since the host runs.", func() float64 { return float64(s.core.Restarts()) }),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func metricsHandler(registry *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: writeTimeout})
}

func (m *metrics) answered(procedure string, code wire.Code, took time.Duration) {
	m.requests.WithLabelValues(procedure, label(code)).Inc()
	m.seconds.WithLabelValues(procedure).Observe(took.Seconds())
}

func (m *metrics) submitted(codes []wire.Code) {
	ok := 0
	for _, c := range codes {
		if c == wire.OK {
			ok++
			continue
		}
		m.txs.WithLabelValues(label(c)).Inc()
	}
	m.txs.WithLabelValues(label(wire.OK)).Add(float64(ok))
}

func (m *metrics) appended(a archive.Appended) {
	m.blocks.Inc()
	m.recorded.Add(float64(len(a.Results)))
}

// label is a code's name, from the registry alone: numbers a core of another
// version may send are one label together.
func label(c wire.Code) string {
	if !c.Known() {
		return "unknown"
	}
	return c.String()
}
