package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"cloister/wire"
)

// texter is an outcome that people read. As JSON it is encoded by its fields.
type texter interface {
	text(w io.Writer)
}

// print shows a command's outcome.
func (a *app) print(v texter) error {
	if a.json {
		_, err := a.out.Write(wire.EncodeJSON(v))
		return err
	}
	v.text(a.out)
	return nil
}

// printLine shows one item of a stream: with --json one object per line.
func (a *app) printLine(v texter) error {
	if !a.json {
		v.text(a.out)
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	_, err = a.out.Write(append(b, '\n'))
	return err
}

// note tells what is going on; it is never part of the outcome.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.errs, format+"\n", args...) }

// fields prints aligned "name: value" lines. Pairs with an empty value are left out.
func fields(w io.Writer, pairs ...string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(t, "%s:\t%s\n", pairs[i], pairs[i+1])
		}
	}
	_ = t.Flush() // a lost line on a closed terminal is no error of the command
}

// table prints aligned columns under a heading.
func table(w io.Writer, heading []string, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(heading, "\t"))
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	_ = t.Flush() // a lost line on a closed terminal is no error of the command
}

func decimal[T ~int | ~uint32 | ~uint64](n T) string { return fmt.Sprintf("%d", n) }

// shown makes bytes from the ledger or a file system safe for a terminal:
// text that could move the cursor or hide something is quoted.
func shown(b string) string {
	if utf8.ValidString(b) && !strings.ContainsFunc(b, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return b
	}
	return strconv.Quote(b)
}

// blob is bytes in JSON: as text when they are, else in hex. Exactly one is set.
type blob struct {
	Text *string  `json:"text,omitempty"`
	Hex  wire.Hex `json:"hex,omitempty"`
}

func blobOf(b []byte) blob {
	if utf8.Valid(b) {
		s := string(b)
		return blob{Text: &s}
	}
	return blob{Hex: b}
}

func (b blob) String() string {
	if b.Text != nil {
		return shown(*b.Text)
	}
	return "0x" + fmt.Sprintf("%x", []byte(b.Hex))
}
