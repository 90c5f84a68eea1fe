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

// errMixedUp says that an answer is not about what was asked.
var errMixedUp = errors.New("the answer is about something else")

// absent starts the texts of calls about orders that the gateway does not have. See calltable.Call for these texts.
const absent = "absent"

// subject is what one call is about.
type subject struct {
	kit    *daxpay.Client
	tag    string // is sent as clientIp
	n      string // what the row of the call is asked for; no other call has it
	notify string // where notices go, empty for nowhere
}

// kind is a kind of calls that the workers make.
type kind struct {
	calltable.Call
	notice model.NoticeKind // of the notice that comes of it; empty if none does
	absent bool             // it is about an order that the gateway does not have
}

// kinds are all calls that gateway 2.0.8 has, and one about an order that it does not have.
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

// refused tells whether the gateway refuses the call.
func (k *kind) refused() bool { return k.absent || slices.Contains(k.Refused, daxpay.GatewayV208) }

// name is the call's for people.
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
		// The client remembers for good what it paid out, and would grow. No other call has the number.
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

// refused makes the gateway's refusal the right answer. The outcome is unknown only if another attempt came before it.
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
