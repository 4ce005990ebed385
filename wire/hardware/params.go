package hardware

// Schedule is when things happen and how much of what is accepted: the part of
// the parameters that is not the committee's arithmetic. Windows and periods are
// in blocks. Specification §3.7.
type Schedule struct {
	_ struct{} `cbor:",toarray"`

	Epoch         uint64 `json:"epoch"`
	NormInterval  uint64 `json:"norm_interval"`
	VRFDelay      uint64 `json:"vrf_delay"` // epochs before a VRF key counts
	WEvid         uint64 `json:"w_evid"`
	WClaim        uint64 `json:"w_claim"`
	WChal         uint64 `json:"w_chal"`
	WAns          uint64 `json:"w_ans"`
	WCommit       uint64 `json:"w_commit"`
	WReveal       uint64 `json:"w_reveal"`
	RAPeriod      uint64 `json:"ra_period"`
	RAGrace       uint64 `json:"ra_grace"`
	MaxAttempts   uint32 `json:"max_attempts"`
	DisputeWindow uint64 `json:"dispute_window"`
	DisputeBond   uint64 `json:"dispute_bond"`    // gas
	JoinRateMin   uint32 `json:"join_rate_min"`   // devices per epoch
	JoinRateShare uint32 `json:"join_rate_share"` // or so many per cent of the active ones
	Cooldown      uint64 `json:"cooldown"`        // doubled with each failure, at most six times
	Spacing       uint64 `json:"spacing"`         // between the end of a task and a challenge
	NonceAge      uint64 `json:"nonce_age"`       // of the block a key rotation names
	BootPCRs      []int  `json:"boot_pcrs"`       // ascending
	AppPCR        uint8  `json:"app_pcr"`
}

// DefaultSchedule has the values of specification §3.7.
func DefaultSchedule() Schedule {
	return Schedule{
		Epoch: 256, NormInterval: 16, VRFDelay: 2,
		WEvid: 20, WClaim: 6, WChal: 10, WAns: 20, WCommit: 10, WReveal: 6,
		RAPeriod: 2048, RAGrace: 256, MaxAttempts: 3,
		DisputeWindow: 4096, DisputeBond: 5_000_000,
		JoinRateMin: 2, JoinRateShare: 5, Cooldown: 1024, Spacing: 64, NonceAge: 64,
		BootPCRs: []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14}, AppPCR: 13,
	}
}

// PCRs are BootPCRs as bytes.
func (s *Schedule) PCRs() []uint8 {
	out := make([]uint8, len(s.BootPCRs))
	for i, p := range s.BootPCRs {
		out[i] = uint8(p)
	}
	return out
}
