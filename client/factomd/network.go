package factomd

import (
	"context"
	"encoding/json"

	"cloister/wire"
)

// Properties names the program a node runs.
type Properties struct {
	Version    string `json:"factomdversion"`
	APIVersion string `json:"factomdapiversion"`
}

// Properties is method properties.
func (c *Client) Properties(ctx context.Context) (p Properties, err error) {
	return p, c.Call(ctx, "properties", nil, &p)
}

// Heights say how far a node is. They are directory heights.
type Heights struct {
	DirectoryBlock uint32 `json:"directoryblockheight"` // the last that is closed
	Leader         uint32 `json:"leaderheight"`         // the one in progress
	EntryBlock     uint32 `json:"entryblockheight"`
	Entry          uint32 `json:"entryheight"`
}

// Heights is method heights.
func (c *Client) Heights(ctx context.Context) (h Heights, err error) {
	return h, c.Call(ctx, "heights", nil, &h)
}

// Minute is where a node is in the block in progress. Times are nanoseconds since
// 1970-01-01 UTC.
type Minute struct {
	LeaderHeight          int64 `json:"leaderheight"`
	DirectoryBlockHeight  int64 `json:"directoryblockheight"`
	Minute                int   `json:"minute"` // 0 to 9
	CurrentBlockStart     int64 `json:"currentblockstarttime"`
	CurrentMinuteStart    int64 `json:"currentminutestarttime"`
	CurrentTime           int64 `json:"currenttime"`
	DirectoryBlockSeconds int64 `json:"directoryblockinseconds"`
	StallDetected         bool  `json:"stalldetected"`
	FaultTimeout          int64 `json:"faulttimeout"` // seconds
	RoundTimeout          int64 `json:"roundtimeout"` // seconds
}

// CurrentMinute is method current-minute.
func (c *Client) CurrentMinute(ctx context.Context) (m Minute, err error) {
	return m, c.Call(ctx, "current-minute", nil, &m)
}

// EntryCreditBalance is method entry-credit-balance: credits of an EC… address or
// 64 hex digits, what is ordered and in no block yet included.
func (c *Client) EntryCreditBalance(ctx context.Context, address string) (int64, error) {
	return c.balance(ctx, "entry-credit-balance", address)
}

// FactoidBalance is method factoid-balance: factoshis of an FA… address or 64 hex
// digits, what is ordered and in no block yet included.
func (c *Client) FactoidBalance(ctx context.Context, address string) (int64, error) {
	return c.balance(ctx, "factoid-balance", address)
}

func (c *Client) balance(ctx context.Context, method, address string) (int64, error) {
	var r struct {
		Balance int64 `json:"balance"`
	}
	err := c.Call(ctx, method, map[string]any{"address": address}, &r)
	return r.Balance, err
}

// Balances are of many addresses, in the order asked for.
type Balances struct {
	CurrentHeight   uint32    `json:"currentheight"`
	LastSavedHeight uint32    `json:"lastsavedheight"`
	Balances        []Balance `json:"balances"`
}

// Balance is of one address; if Err is not empty it is no such address.
type Balance struct {
	Ack   int64  `json:"ack"`   // with what is ordered and in no block yet
	Saved int64  `json:"saved"` // at the last closed block
	Err   string `json:"err"`
}

// MultipleECBalances is method multiple-ec-balances.
func (c *Client) MultipleECBalances(ctx context.Context, addresses []string) (*Balances, error) {
	return c.balances(ctx, "multiple-ec-balances", addresses)
}

// MultipleFCTBalances is method multiple-fct-balances.
func (c *Client) MultipleFCTBalances(ctx context.Context, addresses []string) (*Balances, error) {
	return c.balances(ctx, "multiple-fct-balances", addresses)
}

func (c *Client) balances(ctx context.Context, method string, addresses []string) (*Balances, error) {
	r := new(Balances)
	if err := c.Call(ctx, method, map[string]any{"addresses": addresses}, r); err != nil {
		return nil, err
	}
	if len(r.Balances) != len(addresses) {
		return nil, notOne("%s: %d balances for %d addresses", method, len(r.Balances), len(addresses))
	}
	return r, nil
}

// EntryCreditRate is method entry-credit-rate: factoshis per entry credit, now or
// soon, whichever is more.
func (c *Client) EntryCreditRate(ctx context.Context) (uint64, error) {
	var r struct {
		Rate uint64 `json:"rate"`
	}
	err := c.Call(ctx, "entry-credit-rate", nil, &r)
	return r.Rate, err
}

// Authority is a server as a node knows it.
type Authority struct {
	ChainID         wire.Hash       `json:"chainid"`
	ManagementChain wire.Hash       `json:"manageid"`
	MHash           wire.Hash       `json:"matroyshka"` // spelled as nodes do
	SigningKey      wire.PublicKey  `json:"signingkey"`
	Status          string          `json:"status"`     // "federated" or "audit"
	AnchorKeys      json.RawMessage `json:"anchorkeys"` // as it came
	Efficiency      uint16          `json:"efficiency"` // 1/100 %
	CoinbaseAddress string          `json:"coinbaseaddress"`
}

// Authorities is method authorities.
func (c *Client) Authorities(ctx context.Context) ([]Authority, error) {
	var r struct {
		Authorities []Authority `json:"authorities"`
	}
	err := c.Call(ctx, "authorities", nil, &r)
	return r.Authorities, err
}

// TPS is transactions per second.
type TPS struct {
	Total   float64 `json:"totaltxrate"`
	Instant float64 `json:"instanttxrate"`
}

// TPSRate is method tps-rate.
func (c *Client) TPSRate(ctx context.Context) (t TPS, err error) {
	return t, c.Call(ctx, "tps-rate", nil, &t)
}

// Diagnostics is what a node says of itself for its operator.
type Diagnostics struct {
	Name                   string          `json:"name"`
	ID                     string          `json:"id"`
	PublicKey              string          `json:"publickey"`
	Role                   string          `json:"role"` // "Leader", "Audit" or "Follower"
	LeaderHeight           int64           `json:"leaderheight"`
	CurrentMinute          int             `json:"currentminute"`
	CurrentMinuteDuration  json.Number     `json:"currentminuteduration"`
	PreviousMinuteDuration json.Number     `json:"previousminuteduration"`
	BalanceHash            string          `json:"balancehash"`
	TempBalanceHash        string          `json:"tempbalancehash"`
	LastBlockFromDBState   bool            `json:"lastblockfromdbstate"`
	Syncing                json.RawMessage `json:"syncing"`   // as it came
	AuthoritySet           json.RawMessage `json:"authset"`   // as it came
	Elections              json.RawMessage `json:"elections"` // as it came
}

// Diagnostics is method diagnostics.
func (c *Client) Diagnostics(ctx context.Context) (*Diagnostics, error) {
	r := new(Diagnostics)
	if err := c.Call(ctx, "diagnostics", nil, r); err != nil {
		return nil, err
	}
	return r, nil
}
