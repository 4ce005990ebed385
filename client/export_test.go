package client

import "time"

// Poll sets how long hosts are asked to wait for a transaction.
func (c *Client) Poll(d time.Duration) { c.poll = d }

// StampsAt are stamps whose clock stands where at points.
func StampsAt(at *time.Time) *Stamps { return &Stamps{now: func() time.Time { return *at }} }
