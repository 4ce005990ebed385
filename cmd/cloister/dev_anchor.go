package main

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"cloister/host/node"
	"cloister/wire/record"
)

// devAnchor is how a new development network anchors in Bitcoin.
type devAnchor struct {
	url, user, password, network string
}

// What suits a Bitcoin node for tests, which makes blocks when it is told to.
const (
	devAnchorDepth  = 3
	devAnchorPollMs = 250
	devAnchorFee    = 2 // satoshi per virtual byte
	anchorKeyFile   = "anchor.key"
)

func (x *devAnchor) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&x.url, "anchor", "", "URL of a Bitcoin node's RPC that a new network anchors in; none by default")
	f.StringVar(&x.user, "anchor-user", "", "its user")
	f.StringVar(&x.password, "anchor-password", "", "its password")
	f.StringVar(&x.network, "anchor-network", "simnet", "its network: simnet (btcd) or regtest (Bitcoin Core)")
}

// section is a validator's part of node.toml; it makes the key it names.
func (x *devAnchor) section(home string) (f node.AnchorFile, err error) {
	if x.url == "" {
		return f, nil
	}
	f = node.AnchorFile{
		URL: x.url, User: x.user, Password: x.password, Network: x.network, Key: anchorKeyFile,
		Depth: devAnchorDepth, PollMs: devAnchorPollMs,
	}
	f.Fee.Fixed = devAnchorFee
	if _, err := f.BitcoinNetwork(); err != nil {
		return f, err
	}
	path := filepath.Join(home, anchorKeyFile)
	if _, err := os.Stat(path); err == nil {
		return f, nil
	}
	var secret [32]byte
	rand.Read(secret[:])
	return f, writeNew(path, []byte(hex.EncodeToString(secret[:])+"\n"), 0o600)
}

// keys are the validators' anchor keys, as the genesis allows them.
func (x *devAnchor) keys(home string, members []*member) (list []record.AnchorKey, err error) {
	if x.url == "" {
		return nil, nil
	}
	for _, m := range members {
		folder := filepath.Join(home, m.Name)
		c := node.Config{Home: folder}
		if c.Anchor, err = x.section(folder); err != nil {
			return nil, err
		}
		k, err := c.AnchorKey()
		if err != nil {
			return nil, err
		}
		list = append(list, record.AnchorKey{Node: m.Node, Key: k.Hash160()})
	}
	return list, nil
}

// address is where a validator's money for anchors has to be sent, empty if it
// does not anchor.
func anchorAddress(home string) string {
	c, err := node.Load(home)
	if err != nil || c.Anchor.URL == "" {
		return ""
	}
	k, err := c.AnchorKey()
	if err != nil {
		return ""
	}
	return k.Address()
}
