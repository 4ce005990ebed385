package main

import (
	"context"
	"fmt"

	"cloister/client"
	"cloister/wire"
)

// proved reads one family's public state. Every value is verified against a
// sealed header; values read one after another may be of different blocks.
type proved struct {
	ctx    context.Context
	c      *client.Client
	family string
	height uint64 // of the oldest state anything was read from
	timeMs uint64 // block time of the newest header that proved something
}

func provedState(ctx context.Context, c *client.Client, family string) *proved {
	return &proved{ctx: ctx, c: c, family: family}
}

// get is the Reader of the families' packages: nil for what is not there.
func (p *proved) get(key []byte) ([]byte, error) {
	s, h, err := p.c.StateProof(p.ctx, p.family, key)
	if err != nil {
		return nil, fmt.Errorf("state of %s: %w", p.family, err)
	}
	if p.height == 0 || s.Exec.Height < p.height {
		p.height = s.Exec.Height
	}
	p.timeMs = max(p.timeMs, h.TimeMs)
	if !s.Present {
		return nil, nil
	}
	return s.Value, nil
}

// row reads a structure, nil if it is not there.
func row[T any](p *proved, key []byte, limit int) (*T, error) {
	b, err := p.get(key)
	if err != nil || b == nil {
		return nil, err
	}
	v := new(T)
	if err := wire.Unmarshal(b, v, limit); err != nil {
		return nil, fmt.Errorf("state of %s under %q: %w", p.family, key, err)
	}
	return v, nil
}

// without is the error of a network that lacks a family.
func without(family string) error {
	return wire.Faultf(wire.ErrUnknownFamily, "this network keeps nothing of family %s; 'cloister genesis show' lists what it has", family)
}
