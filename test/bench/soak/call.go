package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/calltable"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// errMixedUp says that an answer is not about the order that was asked for.
var errMixedUp = errors.New("the answer is about something else")

// absent begins the text n (see calltable.Call) of calls about orders that the gateway does not have.
const absent = "absent"

// subject is what one call is about.
type subject struct {
	kit    *daxpay.Client
	tag    string // is sent as clientIp
	n      string // the text of the row (see calltable.Call); every call has its own
	notify string // where notices go, empty for nowhere
}

// kind is a kind of call that the workers make.
type kind struct {
	calltable.Call
	notice model.NoticeKind // of the notice that the call leads to; empty for none
	absent bool             // it is about an order that the gateway does not have
}

// kinds returns all calls of gateway 2.0.8, and one about an order that the gateway does not have.
func kinds() []kind {
	var all []kind
	for _, c := range calltable.Current() {
		switch c.Name {
		case "Pay":
			all = append(all, kind{Call: c, notice: model.NoticePay})
		case "Refund":
			all = append(all, kind{Call: c, notice: model.NoticeRefund})
		case "StartAlloc":
			all = append(all, kind{Call: c, notice: model.NoticeAlloc})
		case "SyncPay":
			all = append(all, kind{Call: c}, kind{Call: c, absent: true})
		default:
			all = append(all, kind{Call: c})
		}
	}
	return all
}

// refused reports whether the gateway refuses the call.
func (k *kind) refused() bool { return k.absent || slices.Contains(k.Refused, daxpay.GatewayV208) }

// name returns the name of the call in reports.
func (k *kind) name() string {
	if k.absent {
		return k.Name + " of none"
	}
	return k.Name
}

// call makes the call and checks its answer.
func (k *kind) call(ctx context.Context, s subject) error {
	p := k.Param(s.n)
	v := reflect.ValueOf(p).Elem()
	v.FieldByName("Common").Set(reflect.ValueOf(param.Common{ClientIP: s.tag}))
	if f := v.FieldByName("NotifyURL"); f.IsValid() {
		f.SetString(s.notify)
	}
	res, err := k.Do(ctx, s.kit, p)
	if transfer, ok := p.(*param.TransferParam); ok {
		// The client remembers payouts forever, and would grow. No other call has this number.
		if forget := s.kit.ForgetTransfer(ctx, transfer.BizTransferNo); forget != nil {
			return forget
		}
	}
	switch {
	case k.refused():
		return refused(err)
	case err == nil && !k.Right(res.Data, s.n):
		return fmt.Errorf("%w: asked for %s, trace %s", errMixedUp, s.n, res.TraceID)
	}
	return err
}

// refused returns nil for a refusal by the gateway. Its outcome may be unknown only if there was an earlier attempt.
func refused(err error) error {
	var refusal *daxpay.GatewayError
	var retried *daxpay.RetryError
	switch {
	case err == nil:
		return errors.New("the gateway should have refused")
	case errors.As(err, &refusal) && (!errors.Is(err, daxpay.ErrOutcomeUnknown) || errors.As(err, &retried)):
		return nil
	}
	return err
}
