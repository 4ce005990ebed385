package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cloister/wire"
)

// errDiffers is returned by commands that compared and found a difference. The
// report is printed already, so nothing is added to it.
var errDiffers = errors.New("differences were found")

// problem is an error as JSON shows it.
type problem struct {
	Error string    `json:"error"` // what was wrong
	Code  wire.Code `json:"code"`
	Name  string    `json:"name"`
	Next  string    `json:"next"` // what to do
	Exit  int       `json:"exit"`
}

// fail prints an error and returns the exit code of its class.
func (a *app) fail(err error) int {
	switch {
	case err == nil:
		return wire.ExitOK
	case errors.Is(err, errDiffers):
		return wire.ExitUnproven
	case errors.Is(err, context.Canceled):
		err = wire.Faultf(wire.ErrDeadline, "interrupted")
	}
	p := describe(err)
	if a.json {
		fmt.Fprintf(a.errs, "%s", wire.EncodeJSON(map[string]problem{"problem": p}))
		return p.Exit
	}
	fmt.Fprintf(a.errs, "cloister: %s\n  code: %s (%d)\n  next: %s\n", p.Error, p.Name, p.Code, p.Next)
	return p.Exit
}

// describe takes an error apart into what was wrong and what its code says.
func describe(err error) problem {
	code := wire.CodeOf(err)
	info := code.Info()
	what := err.Error()
	// A Fault's own text repeats code and advice, which are shown apart.
	if f := (*wire.Fault)(nil); errors.As(err, &f) {
		what = strings.Replace(what, f.Error(), f.Detail, 1)
	}
	return problem{what, code, info.Name, info.Advice, info.Exit}
}

// bad is a request that cannot be carried out as it was given.
func bad(format string, args ...any) error { return wire.Faultf(wire.ErrBadRequest, format, args...) }
