package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/calltable"
	"github.com/daxpay-go/daxpay/param"
)

// judgeFault finds each thing that can be wrong with a call under a fault.
func TestJudgeFaultFinds(t *testing.T) {
	lost := &daxpay.TransportError{Path: "/unipay/transfer", Err: errReset}
	unknown := &daxpay.OutcomeError{Path: "/unipay/transfer", Err: lost}
	at := func(path string) map[daxpay.GatewayVersion]string {
		return map[daxpay.GatewayVersion]string{daxpay.GatewayV208: path}
	}
	transfer := &calltable.Call{Effect: param.EffectOnce, Sent: at("/unipay/transfer")}
	query := &calltable.Call{Effect: param.EffectReadOnly, Sent: at("/unipay/transfer")}
	thrice := &daxpay.RetryError{Path: "/unipay/transfer", Errs: []error{lost, lost, lost}}
	reset := &fault{repeatable: true, right: func(err error) bool { return errors.Is(err, errReset) }}
	for name, tt := range map[string]struct {
		call  *calltable.Call
		posts int
		err   error
		want  string
	}{
		"good":               {transfer, 1, unknown, ""},
		"good query":         {query, 3, thrice, ""},
		"paid twice":         {transfer, 2, unknown, "arrived 2 times, not 1"},
		"not repeated":       {query, 1, lost, "arrived 1 times, not 3"},
		"success":            {transfer, 1, nil, "no error"},
		"taken for known":    {transfer, 1, lost, "taken for known: true"},
		"taken for unknown":  {query, 3, &daxpay.OutcomeError{Err: thrice}, "taken for known: false"},
		"another error":      {transfer, 1, context.Canceled, "the wrong error"},
		"attempts forgotten": {query, 3, lost, "does not hold 3 attempts"},
		"path forgotten":     {&calltable.Call{Sent: at("/x")}, 1, unknown, "does not name the path"},
	} {
		complaint := judgeFault(reset, tt.call, tt.posts, tt.err)
		if tt.want == "" {
			require.Empty(t, complaint, name)
		} else {
			require.Contains(t, complaint, tt.want, name)
		}
	}
}
