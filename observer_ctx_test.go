package daxpay_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/param"
)

// contextless is an Observer that returns no context, or one without the end of the call.
type contextless struct {
	daxpay.Observer
	ctx context.Context //nolint:containedctx // what it returns
	end bool
}

func (f *contextless) CallStarted(context.Context, daxpay.Observation) context.Context { return f.ctx }

func (f *contextless) AttemptDone(ctx context.Context, _ daxpay.Observation) {
	_, f.end = ctx.Deadline()
}

func (f *contextless) CallDone(context.Context, daxpay.Observation) {}

// An observer that mistakes the context costs no call its result, nor its end.
func TestObserversThatForgetTheContext(t *testing.T) {
	for _, ctx := range []context.Context{nil, context.Background()} {
		o := &contextless{ctx: ctx}
		gw := stocked(t)
		kit := client(t, gw, func(c *daxpay.Config) { c.Observer = o })
		_, err := kit.QueryPayOrder(context.Background(), &param.QueryPayParam{OrderNo: "P1"})
		require.NoError(t, err)
		require.True(t, o.end, "the call has no end")
	}
}
