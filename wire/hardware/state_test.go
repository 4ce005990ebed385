package hardware

import (
	"bytes"
	"testing"

	"cloister/wire"
)

// No two rows share a key, and none begins like the tables' ("t/").
func TestStateKeysDoNotMeet(t *testing.T) {
	id, other := wire.Hash{1}, wire.Hash{2}
	seen := map[string]string{}
	for name, key := range map[string][]byte{
		"totals": TotalsKey, "next parameters": NextParamsKey, "device": DeviceKey(id), "device 2": DeviceKey(other), "task": TaskKey(id),
		"open": OpenKey(id), "open page": OpenPageKey(1), "open page 2": OpenPageKey(2), "evidence": EvidenceKey(id),
		"claims": ClaimKey(id, 1), "claims 2": ClaimKey(id, 2), "committee": CommitteeKey(id), "challenge": ChallengeKey(id, 1),
		"measured": MeasuredKey(id, other), "result": ResultKey(id, 1), "credit": CreditKey(1), "status": StatusKey(1), "tickets": TicketKey(1, 1), "tickets 2": TicketKey(2, 1),
		"ids": IDKey(1), "root set": SetKeyOf(SetRoot, id, 1), "key set": SetKeyOf(SetKey, id, 1), "measurement set": SetKeyOf(SetMeasurement, id, 1),
		"owner": OwnerKey(wire.Account(id)), "use": UseKey(UseAK, id), "use 2": UseKey(UseNode, id), "use 3": UseKey(UseVRF, id), "ban": BanKey(id),
		"prepaid": PrepaidKey(wire.Account(id)), "parameters": ParamsKey(1), "founder": FounderKey(wire.Account(id)), "waiting": BeaconKey(1),
		"due": DueKey(1, 1), "due 2": DueKey(1, 2),
	} {
		if was, twice := seen[string(key)]; twice {
			t.Errorf("%s and %s have one key", name, was)
		}
		if bytes.HasPrefix(key, []byte("t")) {
			t.Errorf("%s is in the tables' room", name)
		}
		if len(key) > 256 {
			t.Errorf("%s has a key of %d bytes", name, len(key))
		}
		seen[string(key)] = name
	}
}
