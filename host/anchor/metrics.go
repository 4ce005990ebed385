package anchor

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// register shows the status as gauges; phases are the only label.
func (a *Anchorer) register(r prometheus.Registerer) error {
	const space, sub = "cloister", "anchor"
	gauge := func(name, help string, labels prometheus.Labels, f func(s Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: prometheus.BuildFQName(space, sub, name), Help: help, ConstLabels: labels,
		}, func() float64 { return f(a.Status()) })
	}
	bad := func(err error) float64 {
		if err != nil {
			return 1
		}
		return 0
	}
	list := []prometheus.Collector{
		gauge("bitcoin_height", "Newest block of Bitcoin followed.", nil, func(s Status) float64 { return float64(s.Tip.Height) }),
		gauge("next", "Directory height that is anchored next.", nil, func(s Status) float64 { return float64(s.Next) }),
		gauge("confirmed_satoshi", "Money that can be spent.", nil, func(s Status) float64 { return float64(s.Confirmed) }),
		gauge("missing_satoshi", "Money missing for the next anchor.", nil, func(s Status) float64 { return float64(s.Missing) }),
		gauge("node_failing", "1 if the Bitcoin node cannot be followed.", nil, func(s Status) float64 { return bad(s.Node) }),
		gauge("ledger_failing", "1 if the ledger cannot be asked or written to.", nil, func(s Status) float64 { return bad(s.Ledger) }),
	}
	for _, p := range Phases {
		list = append(list, gauge("heights", "Directory heights on their way, by phase.", prometheus.Labels{"phase": string(p)},
			func(s Status) float64 { return float64(s.Counts[p]) }))
	}
	for _, c := range list {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("anchor: metrics: %w", err)
		}
	}
	return nil
}
