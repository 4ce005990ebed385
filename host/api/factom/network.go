package factom

import (
	"encoding/hex"

	"cloister/wire"
)

type authorityJSON struct {
	ID         wire.NodeID     `json:"chainid"`
	Management wire.Hash       `json:"manageid"`   // a node needs no second chain: zero
	MHash      wire.Hash       `json:"matroyshka"` // sic
	SigningKey wire.PublicKey  `json:"signingkey"`
	Status     string          `json:"status"`
	AnchorKeys []anchorKeyJSON `json:"anchorkeys"`
	Efficiency uint16          `json:"efficiency"`
	Payout     string          `json:"coinbaseaddress"`
}

type anchorKeyJSON struct {
	Blockchain string `json:"blockchain"`
	Level      uint8  `json:"level"`
	Type       uint8  `json:"keytype"`
	Key        string `json:"key"`
}

func (s *Server) authorities(c *call) *failure {
	list, err := s.state.Authorities(c.ctx)
	if err != nil {
		return s.trouble(err)
	}
	shown := make([]authorityJSON, 0, len(list))
	for _, a := range list {
		j := authorityJSON{
			ID: a.ID, SigningKey: a.SigningKey, Status: "audit", AnchorKeys: []anchorKeyJSON{},
			Efficiency: a.Efficiency, Payout: wire.FactoidAddress(a.Payout),
		}
		if a.Federated {
			j.Status = "federated"
		}
		for _, k := range a.AnchorKeys {
			j.AnchorKeys = append(j.AnchorKeys, anchorKeyJSON{"BTC", k.Level, k.Type, hex.EncodeToString(k.Key[:])})
		}
		shown = append(shown, j)
	}
	c.out = appendJSON(c.out, struct {
		Authorities []authorityJSON `json:"authorities"`
	}{shown})
	return nil
}

// diagnosticsJSON has no process lists, elections or servers that do not answer
// to tell of: those are factomd's way of ordering.
type diagnosticsJSON struct {
	Name               string    `json:"name"`
	ID                 string    `json:"id,omitempty"`
	PublicKey          string    `json:"publickey,omitempty"`
	Role               string    `json:"role"`
	LeaderHeight       uint32    `json:"leaderheight"`
	CurrentMinute      uint8     `json:"currentminute"`
	CurrentMinuteNs    int64     `json:"currentminuteduration"`
	PreviousMinuteNs   uint64    `json:"previousminuteduration"`
	BalanceHash        wire.Hash `json:"balancehash"` // zero: state roots are in the ledger's headers
	TempBalanceHash    wire.Hash `json:"tempbalancehash"`
	LastBlockFromState bool      `json:"lastblockfromdbstate"`
	Syncing            struct {
		Status string `json:"status"`
	} `json:"syncing"`
	AuthSet struct {
		Leaders []leaderJSON `json:"leaders"`
		Audits  []auditJSON  `json:"audits"`
	} `json:"authset"`
	Elections struct {
		InProgress bool `json:"inprogress"`
	} `json:"elections"`
}

type leaderJSON struct {
	ID         wire.NodeID `json:"id"`
	VM         int         `json:"vm"`
	ListHeight int         `json:"listheight"`
	ListLength int         `json:"listlength"`
	NextNil    int         `json:"nextnil"`
}

type auditJSON struct {
	ID     wire.NodeID `json:"id"`
	Online bool        `json:"online"`
}

func (s *Server) diagnostics(c *call) *failure {
	list, err := s.state.Authorities(c.ctx)
	if err != nil {
		return s.trouble(err)
	}
	now, d := s.source.Now(), diagnosticsJSON{Name: s.name, Role: "Follower"}
	d.LeaderHeight, d.CurrentMinute = now.Height, now.minute()
	d.CurrentMinuteNs = max(s.clock().UnixNano()-int64(now.MinuteOpenedMs)*1e6, 0)
	d.PreviousMinuteNs = now.PeriodMs * 1e5 // a tenth of the period
	d.Syncing.Status = "Processing"
	d.AuthSet.Leaders, d.AuthSet.Audits = []leaderJSON{}, []auditJSON{}
	id, key := s.state.Identity()
	if !id.IsZero() {
		d.ID, d.PublicKey = id.String(), key.String()
	}
	for _, a := range list {
		role := "Audit"
		if a.Federated {
			role = "Leader"
			d.AuthSet.Leaders = append(d.AuthSet.Leaders, leaderJSON{ID: a.ID, VM: len(d.AuthSet.Leaders)})
		} else {
			d.AuthSet.Audits = append(d.AuthSet.Audits, auditJSON{a.ID, true})
		}
		if a.ID == id {
			d.Role = role
		}
	}
	c.out = appendJSON(c.out, d)
	return nil
}
