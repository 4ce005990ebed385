package factom

// APIVersion is the version of factomd's interface that this is.
const APIVersion = "2.0"

// Times that factomd shows as parameters, in seconds: here both are the time-out
// period of the specification's §9.
const timeOutPeriod = 10

func (s *Server) properties(c *call) *failure {
	c.out = appendJSON(c.out, struct {
		Version    string `json:"factomdversion"`
		APIVersion string `json:"factomdapiversion"`
	}{s.version, APIVersion})
	return nil
}

// heights says the same of directory and entry blocks: they are closed together.
func (s *Server) heights(c *call) *failure {
	now := s.source.Now()
	b := appendNumber(c.out, `{"directoryblockheight":`, uint64(now.Saved))
	b = appendNumber(b, `,"leaderheight":`, uint64(now.Height))
	b = appendNumber(b, `,"entryblockheight":`, uint64(now.Saved))
	c.out = append(appendNumber(b, `,"entryheight":`, uint64(now.Saved)), '}')
	return nil
}

// minute is factomd's count within a block, from 0.
func (m *Moment) minute() uint8 { return max(m.Minute, 1) - 1 }

func (s *Server) currentMinute(c *call) *failure {
	now := s.source.Now()
	c.out = appendJSON(c.out, struct {
		LeaderHeight      uint32 `json:"leaderheight"`
		DirectoryHeight   uint32 `json:"directoryblockheight"`
		Minute            uint8  `json:"minute"`
		BlockStart        uint64 `json:"currentblockstarttime"` // ns, as the next two
		MinuteStart       uint64 `json:"currentminutestarttime"`
		Time              int64  `json:"currenttime"`
		DirectoryBlockSec uint64 `json:"directoryblockinseconds"`
		// A ledger with nothing to order makes no blocks, so silence is no stall.
		Stall        bool `json:"stalldetected"`
		FaultTimeout int  `json:"faulttimeout"`
		RoundTimeout int  `json:"roundtimeout"`
	}{
		LeaderHeight: now.Height, DirectoryHeight: now.Saved, Minute: now.minute(),
		BlockStart: now.OpenedMs * 1e6, MinuteStart: now.MinuteOpenedMs * 1e6, Time: s.clock().UnixNano(),
		DirectoryBlockSec: now.PeriodMs / 1000, FaultTimeout: timeOutPeriod, RoundTimeout: timeOutPeriod,
	})
	return nil
}

func (s *Server) tpsRate(c *call) *failure {
	total, instant := s.rate.perSecond(s.clock())
	c.out = appendJSON(c.out, struct {
		Total   float64 `json:"totaltxrate"`
		Instant float64 `json:"instanttxrate"`
	}{total, instant})
	return nil
}
