package gate

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// failCodes are the Fail codes of gate.md §4, in order from 1.
var failCodes = []error{
	ErrNotFound, ErrNoSpace, ErrIO, ErrBusy, ErrBadRequest, ErrNotReady, ErrTooLarge, ErrRefused, ErrStopped,
}

// Failure is a refusal with a text for the operator. Use it where the code
// alone does not say enough; the text crosses the gate, so in the core it must
// hold no secret. errors.Is matches Err.
type Failure struct {
	Err  error  // one of the errors of this package that have a Fail code
	Text string // at most MaxFailText bytes cross the gate
}

func (f *Failure) Error() string {
	if f.Text == "" {
		return f.Err.Error()
	}
	return fmt.Sprintf("%v: %q", f.Err, f.Text)
}

func (f *Failure) Unwrap() error { return f.Err }

// failPayload encodes err. An error without a code is sent as IO. Only the text
// of a Failure crosses: any other error text might tell the host a secret.
func failPayload(err error) []byte {
	code := failCode(err)
	var text string
	if f := (*Failure)(nil); errors.As(err, &f) {
		text = f.Text[:min(len(f.Text), MaxFailText)]
	}
	return append(binary.BigEndian.AppendUint16(nil, code), text...)
}

func failCode(err error) uint16 {
	for i, e := range failCodes {
		if errors.Is(err, e) {
			return uint16(i + 1)
		}
	}
	return failCode(ErrIO)
}

// parseFail decodes a Fail payload of 2..2+MaxFailText bytes (checked by the
// frame rules). An unknown code counts as IO.
func parseFail(p []byte) error {
	err := ErrIO
	if code := binary.BigEndian.Uint16(p); code >= 1 && int(code) <= len(failCodes) {
		err = failCodes[code-1]
	}
	if len(p) == 2 {
		return err
	}
	return &Failure{Err: err, Text: string(p[2:])}
}

// ProtocolError says which rule the other side broke. It wraps ErrProtocol.
type ProtocolError struct {
	Lane Lane
	Type Type // of the offending frame
	Rule string
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("%v: %s lane, frame %#02x: %s", ErrProtocol, e.Lane, uint8(e.Type), e.Rule)
}

func (e *ProtocolError) Unwrap() error { return ErrProtocol }

// ExitCode is the code the core exits with when its gate ended with err.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, ErrLanes):
		return ExitLanes
	case errors.Is(err, ErrProtocol):
		return ExitProtocol
	}
	return ExitClosed
}
