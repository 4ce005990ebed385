// Package sim runs whole networks of trusted nodes in one goroutine: the same
// machines as production, behind a simulated disk, network and clock, with
// seeded faults. A seed fixes everything; its trace is one hash.
//
// It must never use a real clock, a real file or a goroutine, and no production
// package may import it.
//
// Invariants it checks at every step: one hash per sealed or published height
// over all nodes, for every seal that ever travels; what a node published never
// changes or goes back, and has no gaps; nothing a client was told is recorded is
// missing later. At the end every member follows a leader, and an auditor who has
// the genesis only follows every archive from member set to member set, seal by seal.
//
// With spare nodes, a small family (seats.go) changes and bars members all the time;
// with Rollback, a host puts an old disk back (rollback.go); with Lies, archives
// answer with forged blocks (lies.go).
//
// etcd raft draws election timeouts from crypto/rand, so repeatable runs need
// testing/cryptotest.SetGlobalRandom around them.
//
// Gate specification §8.2–§8.3; consensus specification §11.
package sim
