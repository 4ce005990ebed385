// Command bitcointour shows the anchors of a network of its own on a real Bitcoin
// node (btcd, simnet): an entry's receipt that leads to a Bitcoin header and is
// verified offline, and what a reorganisation of Bitcoin does to it. It starts both,
// and leaves no process and no file.
package main
