package families

import (
	"strings"
	"testing"

	"cloister/core/ledger"
	"cloister/wire"
)

// Names are part of every key and every transaction, and one family keeps accounts.
func TestNamesAreUniqueAndFitKeys(t *testing.T) {
	seen, chargers := map[string]bool{}, 0
	for _, f := range All() {
		name := f.Name()
		if name == "" || len(name) > wire.MaxFamily || strings.ContainsRune(name, 0) || seen[name] {
			t.Errorf("name %q", name)
		}
		seen[name] = true
		if _, ok := f.(ledger.Charger); ok {
			chargers++
		}
	}
	if chargers != 1 {
		t.Errorf("%d families keep accounts", chargers)
	}
}
