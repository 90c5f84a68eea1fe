package daxpay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/daxpay-go/daxpay/internal/guard"
	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/param"
)

// onceTimeout limits each request to the store. Nothing is sent until a claim is made.
const onceTimeout = 2 * time.Second

// DuplicateError says that a call which must be sent only once was not sent, because its number was sent before or is
// being sent now. It is ErrDuplicate, and ErrOutcomeUnknown and ErrEarlierSend as well: the earlier send may have taken
// effect, so do not book the order as refused.
type DuplicateError struct {
	Path string
}

func (e *DuplicateError) Error() string {
	return "daxpay: " + e.Path + ": not sent: its number was sent before, and would be paid again; query it, and if " +
		"the gateway does not have it, have a person look at the channel before ForgetTransfer or ForgetOnce"
}

// Unwrap returns ErrDuplicate, ErrOutcomeUnknown and ErrEarlierSend.
func (e *DuplicateError) Unwrap() []error {
	return []error{ErrDuplicate, ErrOutcomeUnknown, ErrEarlierSend}
}

// ForgetTransfer lets the client send a BizTransferNo (商户转账号) again. The gateway pays a number as often as it
// receives it: call ForgetTransfer only after a person has seen at the channel that the money was not paid. Its errors
// are those of ForgetOnce.
func (c *Client) ForgetTransfer(ctx context.Context, bizTransferNo string) error {
	return ForgetOnce(ctx, c, &param.TransferParam{BizTransferNo: bizTransferNo})
}

// ForgetOnce is ForgetTransfer for any call that must be sent only once (param.EffectOnce). Only the number in p
// counts. The error is ErrConfig or ErrParam, or else the error of Config.OnceStore: the number may then still be
// recorded.
func ForgetOnce[T any](ctx context.Context, c *Client, p param.Request[T]) error {
	if c == nil || c.core == nil {
		return &ConfigError{Field: "ServiceURL", Reason: "is unknown: make the Client with New"}
	}
	if isNil(p) {
		return nilParam(p)
	}
	if ctx == nil {
		return &ParamError{Param: fmt.Sprintf("%T", p), Field: "the context", Reason: "must not be nil"}
	}
	request := reflect.Indirect(reflect.ValueOf(p))
	plan, err := wire.PlanOf(request.Type())
	if err != nil {
		return typeFault(err)
	}
	key, err := c.core.onceKey(p.Call().Path, plan, request)
	if err != nil {
		return err
	}
	return within(ctx, func(ctx context.Context) error { return c.core.once.Forget(ctx, key) })
}

// onceKey returns the store's key for a call that must be sent only once: it stands for path and number.
func (c *core) onceKey(path string, plan *wire.Plan, request reflect.Value) (string, error) {
	number := plan.Number(request)
	if number == "" {
		return "", &ParamError{
			Param: request.Type().String(), Field: "the number",
			Reason: "must be set: a call that must be sent only once (param.EffectOnce) is recognized by a string field with " +
				"the tag no",
		}
	}
	sum := sha256.Sum256([]byte(path + "\n" + number))
	return c.storeKey("once:" + hex.EncodeToString(sum[:16])), nil
}

// claimed makes a call that must be sent only once, unless its number was sent before. The claim of the number stays
// for good, unless the call provably did nothing.
func (c *core) claimed(ctx context.Context, call *call, send func() (answer, error)) (answer, error) {
	key, err := c.onceKey(call.path, call.plan, call.request)
	if err != nil {
		return answer{}, err
	}
	owner, err := newNonce()
	if err != nil {
		return answer{}, &TransportError{Path: call.path, NeverSent: true, Err: err}
	}
	release := func() error {
		return within(context.WithoutCancel(ctx), func(ctx context.Context) error { return c.once.Release(ctx, key, owner) })
	}
	var state ClaimState
	err = within(ctx, func(ctx context.Context) error {
		claim, err := c.once.Claim(ctx, key, owner, 0)
		if err == nil && ctx.Err() != nil { // too late: nothing was sent
			return errors.Join(ctx.Err(), release())
		}
		state = claim
		return err
	})
	switch {
	case err != nil:
		_ = release() // the claim may have been made; if it stays, the number is not sent again
		return answer{}, &TransportError{Path: call.path, NeverSent: true, Err: err}
	case state != ClaimGranted:
		return answer{}, &DuplicateError{Path: call.path}
	}
	call.end = time.Now().Add(c.Timeout) // the store has had its own time
	a, err := send()
	if err == nil || errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, ErrEarlierSend) {
		return a, err
	}
	if releaseErr := release(); releaseErr != nil {
		err = errors.Join(err, releaseErr)
	}
	return a, err
}

// within runs one request to the store. It does not wait for a store that ignores its context.
func within(ctx context.Context, ask guard.Func) error {
	if err := panicOr(guard.Within(ctx, onceTimeout, ask)); err != nil {
		return fmt.Errorf("daxpay: Config.OnceStore: %w", err)
	}
	return nil
}
