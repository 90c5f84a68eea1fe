package daxpay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/param"
)

// onceTimeout is how long the store may take for each of its answers. Until a claim is made, nothing is sent.
const onceTimeout = 2 * time.Second

// DuplicateError says that a call that must go out once has gone out before under its number, or is going out now, so
// that it was not sent. It is ErrDuplicate, and ErrOutcomeUnknown and ErrEarlierSend as well: the earlier send may have
// taken effect, so do not book the order as refused.
type DuplicateError struct {
	Path string
}

func (e *DuplicateError) Error() string {
	return "daxpay: " + e.Path + ": not sent: its number went out before, and would be paid again; query it, and if " +
		"there is nothing, have a person look at the channel before ForgetTransfer or ForgetOnce"
}

// Unwrap makes it ErrDuplicate, ErrOutcomeUnknown and ErrEarlierSend.
func (e *DuplicateError) Unwrap() []error {
	return []error{ErrDuplicate, ErrOutcomeUnknown, ErrEarlierSend}
}

// ForgetTransfer lets a BizTransferNo (商户转账号) go out again that went out before. The gateway pays a number as often as
// it gets it: call it only after a person has seen at the channel that the money was not paid.
func (c *Client) ForgetTransfer(ctx context.Context, bizTransferNo string) error {
	return ForgetOnce(ctx, c, &param.TransferParam{BizTransferNo: bizTransferNo})
}

// ForgetOnce is ForgetTransfer for any call that must go out once (param.EffectOnce): the number that p has may go out
// again.
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

// onceKey is the key of a call that must go out once, by its path and its number.
func (c *core) onceKey(path string, plan *wire.Plan, request reflect.Value) (string, error) {
	number := plan.Number(request)
	if number == "" {
		return "", &ParamError{
			Param: request.Type().String(), Field: "the number",
			Reason: "must be set: what must go out once (param.EffectOnce) needs a string with the tag no, by which it is " +
				"known again",
		}
	}
	sum := sha256.Sum256([]byte(path + "\n" + number))
	return c.storeKey("once:" + hex.EncodeToString(sum[:16])), nil
}

// claimed makes a call that must go out once, unless its number went out before. The claim of the number stays for
// good, but for a call of which it is proved that it did nothing.
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
		answer, err := c.once.Claim(ctx, key, owner, 0)
		if err == nil && ctx.Err() != nil { // too late: nothing was sent
			return errors.Join(ctx.Err(), release())
		}
		state = answer
		return err
	})
	switch {
	case err != nil:
		_ = release() // the claim may have been made all the same; if it stays, the number does not go out
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

// within asks the store, and does not wait for one that does not answer, whatever it does with its context.
func within(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	answered := make(chan error, 1)
	go func() { answered <- protected(ctx, ask) }()
	var err error
	select {
	case err = <-answered:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("daxpay: Config.OnceStore: %w", err)
	}
	return nil
}
