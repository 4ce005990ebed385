// Package engines is the registry of consensus engines: one line per engine.
// It must never hold anything else.
package engines
