package anchor

import (
	"slices"

	"cloister/wire/bitcoin"
)

// spend notes that a mined transaction spends coins of the key.
func (m *machine) spend(tx *bitcoin.Tx, height uint32) {
	for _, in := range tx.Inputs {
		if i := m.coinAt(in.Prev); i >= 0 {
			m.Coins[i].Spent = height
		}
	}
}

func (m *machine) coinAt(out bitcoin.Outpoint) int {
	return slices.IndexFunc(m.Coins, func(c Coin) bool { return c.Out == out })
}

// addCoin keeps a coin that is worth spending. Where there are too many, the
// smallest goes: small change sent to the address must not fill the host.
func (m *machine) addCoin(c Coin) {
	if i := m.coinAt(c.Out); i >= 0 {
		m.Coins[i] = c // it is back
		return
	}
	if c.Value < m.key.dust() {
		return
	}
	if len(m.Coins) < maxCoins {
		m.Coins = append(m.Coins, c)
		return
	}
	least := 0
	for i := range m.Coins {
		if m.Coins[i].Value < m.Coins[least].Value {
			least = i
		}
	}
	if m.Coins[least].Value < c.Value {
		m.Coins[least] = c
	}
}

// prune forgets coins whose spending can no longer be undone, and those that did
// not come back.
func (m *machine) prune() {
	m.Coins = slices.DeleteFunc(m.Coins, func(c Coin) bool {
		return c.Spent > 0 && m.depth(c.Spent) > trailLength || c.Undone > 0 && m.depth(c.Undone) > patience
	})
}
