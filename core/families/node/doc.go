// Package node keeps the running trusted cores: which are registered, by what
// evidence, in which run, and which of them order blocks.
//
// It must never judge evidence by itself (Hardware does, over the hardware
// family's tables), hold a list of members anywhere but in state, or change the
// member set by more than one member at a time.
//
// # Registration
//
// A core shows claims, evidence that carries their hash, and a signature of its
// identity key. Claims name a recent block, so evidence cannot be kept for later,
// and the run of the core: every start registers a run with a number above all
// earlier ones, so a core restarted from an older copy of its files, or started
// twice, is refused (consensus specification §5). A registration lasts as long
// as the shortest of its roles' policies says; new evidence prolongs it. What
// the evidence showed is kept, the keys of its certificates too, and judged
// again, without new evidence, whenever the hardware family's tables change and
// once an hour.
//
// Registering a node makes its hardware a device of the hardware family's
// registry as well, so that one act of its operator is enough. If the registry
// has no room for it now, the node goes on without, and its next evidence tries
// again. What the registry says against a device holds for the node on it: while
// the device is suspended or revoked, be it at its owner's wish, so is the node.
//
// # The roster
//
// At the end of every block the family decides who orders blocks and who is
// barred: peers drop the channels of a barred member at once. A member is barred
// when it is revoked, when its registration ran out, when its evidence no longer
// satisfies a policy, and, for a founder, when it has not registered within the
// founding time. A barred member is removed. Two rules keep a chain from
// stopping itself, because a chain that stopped cannot order its own repair:
//
//   - All bars on voters but revocation hold only while a quorum of the set's
//     voters has none; otherwise they rest until enough voters have renewed.
//   - The authorities cannot revoke voters so that less than a quorum is left;
//     they remove them one by one instead. The last voter stays.
//
// Wanted changes of the member set wait in a queue. A new set, one epoch later,
// is made at the end of a block that the newest set itself ordered, so exactly
// one change is on its way at a time. A new voter starts as a learner and is
// promoted when a voter says that it has caught up. Voters are 1 to 7; 1, 3, 5
// and 7 are the numbers to run with, and an even number is a step between two
// of them, safe but no more available than one less.
//
// # Vendors
//
// The policy of voters says of how many vendors their hardware has to be. The
// voters of a set keep that many once they have it: an order or a wish that would
// leave fewer is refused (ErrVendorClasses), and the removal of a voter that is
// barred by the rules alone waits for another on such hardware; meanwhile no other
// voter leaves whom a quorum takes. The revoked go whatever their hardware. Until
// a chain has reached the number, nothing is demanded of it: a chain founded on
// one vendor's hardware can become diverse, and founders that have shown no
// evidence count for no vendor. If the last voter on a vendor's hardware is lost
// for good, the authorities revoke it, admit another, or lower the number.
//
// # Invariants
//
//   - There is at least one voter. Slots are never used twice; epochs rise by
//     one, and two following sets differ in one member.
//   - A device has one registration in force in each role; a VRF key belongs to
//     one node for ever; the number of a node's run only rises.
//   - A revoked node never comes back.
//   - At most wire/node.MaxNodes registrations are kept; a new one takes the place
//     of one that ran out.
//
// Public face: wire/node. The family stands after hardware in the genesis, so
// that a block's changes of trust show in that block's roster.
//
// Design §4 "Devices and nodes"; consensus specification §4.4, §5; TEE
// specification §0, §5, §6.
package node
