// Package archivetest makes chains of final blocks as a core would publish
// them: consistent headers, bodies, results and seals, from a seed.
//
// It is for tests of what stands behind the core and must never be linked into
// a program. Its state roots are made up and its seals are of a form of its own
// (Rules judge them), since the host looks into neither.
package archivetest
