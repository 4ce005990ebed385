package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cloister/client"
	pb "cloister/gen/cloister/v1"
	"cloister/wire"
)

func nodeCommand(a *app) *cobra.Command {
	return group("node", "Hosts and their cores, and what the ledger says of them",
		nodeStatus(a), nodeList(a), nodeShow(a), nodeMembers(a), nodeRegister(a), nodeRenew(a), nodeRetire(a), nodeAdmit(a), nodeRemove(a), nodeRevoke(a))
}

// askOnce is for questions about one host: another host's answer is none.
var askOnce = client.Retry{Attempts: 1}

// shownNode is one host's word on itself.
type shownNode struct {
	Endpoint string             `json:"endpoint"`
	Status   *pb.StatusResponse `json:"status,omitempty"`
	Problem  *problem           `json:"problem,omitempty"`
}

// shownNodes is the outcome of node status.
type shownNodes struct {
	Nodes []shownNode `json:"nodes"`
}

func (s *shownNodes) text(w io.Writer) {
	for i, n := range s.Nodes {
		if i > 0 {
			fmt.Fprintln(w)
		}
		n.text(w)
	}
}

func (n *shownNode) text(w io.Writer) {
	if n.Problem != nil {
		fields(w, "host", n.Endpoint, "problem", n.Problem.Name+": "+n.Problem.Error, "next", n.Problem.Next)
		return
	}
	s := n.Status
	ready := "yes"
	if !s.Ready {
		ready = "no: " + shown(s.NotReady)
	}
	pairs := []string{"host", n.Endpoint, "version", shown(s.HostVersion), "network", shown(s.Name), "chain id", shown(s.ChainId), "ready", ready,
		"archived", fmt.Sprintf("block %d, sealed up to %d", s.Height, s.Sealed)}
	if s.Restarts > 0 {
		pairs = append(pairs, "core restarts", decimal(s.Restarts))
	}
	if c := s.Core; c != nil {
		pairs = append(pairs, "core", fmt.Sprintf("%s, slot %d, %s, %s", shown(c.NodeId), c.Slot, shown(c.Role), shown(c.Mode)),
			"consensus", consensus(c), "blocks", fmt.Sprintf("height %d, sealed %d, executed %d, on disk %d", c.Height, c.Sealed, c.Executed, c.Flushed),
			"pool", fmt.Sprintf("%d transactions, %s", c.PoolTxs, size(c.PoolBytes)), "peers", peers(c))
	}
	fields(w, pairs...)
	for _, warning := range s.Warnings {
		fmt.Fprintf(w, "NOTE: %s\n", shown(warning))
	}
}

func consensus(c *pb.CoreStatus) string {
	who := "leader unknown"
	switch {
	case c.Leading:
		who = "leading"
	case c.Leader != "":
		who = "led by " + shown(c.Leader)
	}
	text := fmt.Sprintf("%s, view %d, %s, restart mode %s", shown(c.Engine), c.View, who, shown(c.Restart))
	if c.Quarantined {
		text += ", QUARANTINED"
	}
	return text
}

func peers(c *pb.CoreStatus) string {
	var list []string
	for _, p := range c.Peers {
		state := "connected"
		if !p.Connected {
			state = "not connected"
		}
		list = append(list, fmt.Sprintf("slot %d %s", p.Slot, state))
	}
	return strings.Join(list, ", ")
}

func nodeStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what each host says of itself and its core",
		Long: `Show what each host says of itself and its core. It is their word and nothing is
verified. The exit code is that of the first host that has a problem.`,
		Example: "  cloister node status",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			g, err := a.readGenesis()
			if err != nil {
				return err
			}
			endpoints, err := a.endpointList()
			if err != nil {
				return err
			}
			out := &shownNodes{}
			var first error
			for _, e := range endpoints {
				s, err := hostStatus(cmd.Context(), e, g)
				n := shownNode{Endpoint: e, Status: s}
				if err != nil {
					p := describe(err)
					n.Problem = &p
					if first == nil {
						first = fmt.Errorf("%s: %w", e, err)
					}
				}
				out.Nodes = append(out.Nodes, n)
			}
			if err := a.print(out); err != nil {
				return err
			}
			return first
		},
	}
}

// hostStatus asks one host about itself.
func hostStatus(ctx context.Context, endpoint string, g *wire.Genesis) (*pb.StatusResponse, error) {
	c, err := client.Dial([]string{endpoint}, g, client.Options{Retry: askOnce})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	s, err := c.HostStatus(ctx)
	if err != nil {
		return nil, err
	}
	if s.ChainId != g.ChainID().String() {
		return s, wire.Faultf(wire.ErrForeignChain, "it serves chain %s, the genesis file is of %s", clip(s.ChainId), g.ChainID())
	}
	return s, nil
}
