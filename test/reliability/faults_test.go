package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
)

// What is wrong with a call under a fault is found.
func TestJudgeFaultFinds(t *testing.T) {
	lost := &daxpay.TransportError{Path: "/unipay/transfer", Err: errReset}
	unknown := &daxpay.OutcomeError{Path: "/unipay/transfer", Err: lost}
	transfer := &faultyCall{name: "TransferParam", path: "/unipay/transfer"}
	query := &faultyCall{name: "QueryPayOrderParam", path: "/unipay/transfer"}
	thrice := &daxpay.RetryError{Path: "/unipay/transfer", Errs: []error{lost, lost, lost}}
	reset := &fault{repeatable: true, right: func(err error) bool { return errors.Is(err, errReset) }}
	for name, tt := range map[string]struct {
		call  *faultyCall
		posts int
		err   error
		want  string
	}{
		"good":                {transfer, 1, unknown, ""},
		"good query":          {query, 3, thrice, ""},
		"paid twice":          {transfer, 2, unknown, "arrived 2 times, not 1"},
		"not repeated":        {query, 1, lost, "arrived 1 times, not 3"},
		"success":             {transfer, 1, nil, "no error"},
		"taken for known":     {transfer, 1, lost, "taken for known: true"},
		"taken for unknown":   {query, 3, &daxpay.OutcomeError{Err: thrice}, "taken for known: false"},
		"another error":       {transfer, 1, context.Canceled, "the wrong error"},
		"attempts forgotten":  {query, 3, lost, "does not hold 3 attempts"},
		"path forgotten":      {&faultyCall{name: "TransferParam", path: "/x"}, 1, unknown, "does not name the path"},
		"a call without rule": {&faultyCall{name: "NewParam"}, 1, unknown, "no rule"},
	} {
		complaint := judgeFault(reset, tt.call, tt.posts, tt.err)
		if tt.want == "" {
			require.Empty(t, complaint, name)
		} else {
			require.Contains(t, complaint, tt.want, name)
		}
	}
}
