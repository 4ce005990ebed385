// Package bench puts load on a network and measures what it costs: sealed
// entries, pairs or transfers per second, latency from submission to seal, and
// the servers' processor time, memory and disk writes.
//
// It must never count what is not recorded whole under a seal, and never start
// the clock of an open-loop item later than it was due: a slow server must not
// be able to hide behind a slow client.
//
// What hosts say is checked by sample: receipts of recorded transactions are
// fetched and verified after the measured window.
package bench
