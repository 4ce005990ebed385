package wire

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// declared reads the constants of type Code out of the source, so that a code
// cannot be added without its line in the registry.
func declared(t *testing.T) map[string]Code {
	t.Helper()
	names, err := filepath.Glob("codes*.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]Code{}
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			declaredIn(t, name, codes)
		}
	}
	return codes
}

func declaredIn(t *testing.T, name string, codes map[string]Code) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Code" && len(spec.Values) == 1 {
			n, err := strconv.ParseUint(spec.Values[0].(*ast.BasicLit).Value, 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			codes[spec.Names[0].Name] = Code(n)
		}
		return true
	})
}

func TestEveryCodeIsInTheRegistryUnderItsName(t *testing.T) {
	codes := declared(t)
	if len(codes) != len(registry) || len(codes) < 30 {
		t.Errorf("%d codes are declared, %d registered", len(codes), len(registry))
	}
	for name, code := range codes {
		if !code.Known() || code.String() != name {
			t.Errorf("%s (%d) is registered as %s", name, uint32(code), code)
		}
		if name != "OK" && !strings.HasPrefix(name, "Err") {
			t.Errorf("%s does not start with Err", name)
		}
	}
}

// connectCodes are the names the public API's protocol knows.
var connectCodes = strings.Fields(`ok canceled unknown invalid_argument deadline_exceeded not_found already_exists
	permission_denied resource_exhausted failed_precondition aborted out_of_range unimplemented internal unavailable
	data_loss unauthenticated`)

func TestEveryCodeSaysWhatToDo(t *testing.T) {
	names := map[string]bool{}
	for _, c := range connectCodes {
		names[c] = true
	}
	for code, i := range registry {
		switch {
		case (code == OK) != (i.HTTP == 200) || i.HTTP != 200 && (i.HTTP < 400 || i.HTTP > 599):
			t.Errorf("%s: HTTP status %d", i.Name, i.HTTP)
		case !names[i.GRPC] || (code == OK) != (i.GRPC == "ok"):
			t.Errorf("%s: gRPC code %q", i.Name, i.GRPC)
		case (code == OK) != (i.Exit == ExitOK) || i.Exit < ExitOK || i.Exit > ExitUnproven:
			t.Errorf("%s: exit code %d", i.Name, i.Exit)
		case len(i.Advice) < 10 || len(i.Advice) > 120 || strings.HasSuffix(i.Advice, ".") || i.Advice != strings.TrimSpace(i.Advice):
			t.Errorf("%s: advice %q is not one sentence without a full stop", i.Name, i.Advice)
		case i.Exit == ExitUnproven && code/100 != 5 && code/100 != 6:
			t.Errorf("%s: only 5xx and 6xx codes are about proofs", i.Name)
		}
	}
}

func TestErrorsCarryTheirCode(t *testing.T) {
	fault := Faultf(ErrBusy, "queue of %d is full", 7)
	wrapped := fmt.Errorf("submitting: %w", fault)
	for _, x := range []struct {
		err  error
		want Code
	}{
		{nil, OK}, {ErrBusy, ErrBusy}, {fault, ErrBusy}, {wrapped, ErrBusy},
		{fmt.Errorf("x: %w", ErrEncoding), ErrMalformed}, {errors.New("x"), ErrInternal},
		{Faultf(ErrProof, "%v", ErrEncoding), ErrProof},
	} {
		if got := CodeOf(x.err); got != x.want {
			t.Errorf("%v carries %s, want %s", x.err, got, x.want)
		}
	}
	if !errors.Is(wrapped, ErrBusy) || errors.Is(wrapped, ErrStopping) {
		t.Error("errors.Is does not see the code")
	}
	for _, part := range []string{"ErrBusy", "queue of 7 is full", ErrBusy.Info().Advice} {
		if !strings.Contains(fault.Error(), part) {
			t.Errorf("%q lacks %q", fault, part)
		}
	}
}

func TestACodeFromTheFutureIsShownByItsNumber(t *testing.T) {
	c := Code(77_777)
	if i := c.Info(); c.Known() || c.String() != "Err77777" || i.HTTP != 500 || i.Exit != ExitInternal {
		t.Errorf("%+v", i)
	}
}
