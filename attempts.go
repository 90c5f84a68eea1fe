package daxpay

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/param"
)

// call is one call of Execute.
type call struct {
	path     string
	effect   param.Effect
	beyond   func(now time.Time) []param.Fault // checks what tags cannot express
	proof    []string
	refusals param.Refusals
	recovery string

	request reflect.Value // the param's struct, never modified
	model   reflect.Value // the answer is decoded into it

	end time.Time // when Config.Timeout is over

	plan, answerPlan *wire.Plan
	versions         []gateway.Version // the encodings to try
	unfit            error             // why encodings for older gateways were left out, nil if none was
}

// answer holds what is known of an answer besides its model. For a refused answer these are the fields up to the check
// that refused it.
type answer struct {
	status   int
	code     int
	msg      string
	traceID  string
	raw      []byte
	ahead    time.Duration // how far this machine's clock was ahead of resTime when the answer came
	signed   bool          // its signature is right
	verified bool          // and it is a current answer to this call

	secretIndex int // of the secret that verified it
}

// execute checks the call and makes its attempts.
func (c *core) execute(ctx context.Context, call *call) (answer, error) {
	if err := c.check(call); err != nil {
		return answer{}, err
	}
	ctx, watch := c.watch(ctx, call)
	call.end = time.Now().Add(c.Timeout)
	send := func() (answer, error) { return c.attempts(ctx, call, watch) }
	var a answer
	var err error
	if call.effect == param.EffectOnce {
		a, err = c.claimed(ctx, call, send)
	} else {
		a, err = send()
	}
	watch.done(ctx, err)
	return a, err
}

// attempts sends the call in one encoding after the other until the gateway understands one, and again if Retry and the
// call's effect allow that.
func (c *core) attempts(ctx context.Context, call *call, watch *watch) (answer, error) {
	var failed *failures // nil until an attempt fails
	refused := 0
	for {
		version := call.versions[refused]
		path, _ := version.Path(call.path)
		start := time.Now()
		a, err := c.roundTrip(ctx, call, version, path)
		unknown := err != nil && call.mayHaveRun(err, version, c.trusted)
		refusal := call.misunderstood(version, err)
		if watch != nil {
			next := refusal != nil && refused+1 < len(call.versions)
			watch.attempt(ctx, start, c.ServiceURL+path, version, &a, err, unknown, next)
		}
		if refusal == nil && (err == nil || a.verified) {
			c.prefer(version)
		}
		if err == nil {
			c.budget.giveBack()
			return a, nil
		}
		if failed == nil {
			failed = &failures{call: call, said: refusals{path: call.path}}
		}
		if refusal != nil {
			failed.said.add(version, refusal)
			if refused++; refused < len(call.versions) {
				continue
			}
			failed.add(path, withReason(failed.said.err(), call.unfit), unknown)
			return answer{}, failed.err()
		}
		failed.add(path, err, unknown)
		again, stopped := c.again(ctx, call, len(failed.errs), err)
		if !again {
			failed.stopped = stopped
			return answer{}, failed.err()
		}
	}
}

// check selects the encodings to try and finds all reasons for which the call cannot be sent. With GatewayAuto the
// param must be valid for 2.0.8; encodings for older gateways are left out if it is not valid for them.
func (c *core) check(call *call) error {
	var err error
	if call.plan, err = wire.PlanOf(call.request.Type()); err != nil {
		return typeFault(err)
	}
	if call.answerPlan, err = wire.PlanOf(call.model.Type()); err != nil {
		return typeFault(err)
	}
	if !isPath(call.path) {
		return &ParamError{
			Param: call.request.Type().String(), Field: "Call().Path",
			Reason: `must be a plain path that starts with "/", such as /unipay/pay`,
		}
	}
	if call.versions, err = c.versions(call); err != nil {
		return err
	}
	checked, pinned := c.Gateway.pinned()
	if !pinned {
		checked = gateway.V208
	}
	layout := call.plan.Layout(call.path, checked)
	faults := call.plan.Check(layout, call.request, call.answerPlan, c.returns, c.AllowAmbiguousText)
	if call.beyond != nil {
		for _, f := range call.beyond(c.now()) {
			faults = append(faults, wire.Fault(f))
		}
	}
	if err := call.faults(faults); err != nil || pinned {
		return err
	}
	fitting := call.versions[:0]
	for _, v := range call.versions {
		faults := call.plan.Unfit(call.plan.Layout(call.path, v), call.request, call.answerPlan, c.returns,
			c.AllowAmbiguousText)
		if err := call.faults(faults); err != nil {
			call.unfit = errors.Join(call.unfit, err)
			continue
		}
		fitting = append(fitting, v)
	}
	if call.versions = fitting; len(fitting) == 0 {
		return call.unfit
	}
	return nil
}

// faults joins the faults of the param into one error.
func (call *call) faults(faults []wire.Fault) error {
	if len(faults) == 0 {
		return nil
	}
	name := call.request.Type().String()
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = &ParamError{Param: name, Field: f.Field, Reason: f.Reason}
	}
	return errors.Join(errs...)
}

func typeFault(err error) error {
	fault := &ParamError{Reason: err.Error()}
	var t *wire.TypeError
	if errors.As(err, &t) {
		fault = &ParamError{Param: t.Type.String(), Field: t.Field, Reason: t.Reason}
	}
	return fault
}

func isPath(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.Contains(path, "..") &&
		strings.Trim(path, "/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") == ""
}

// versions returns the encodings to try: the pinned one, or those of GatewayAuto that differ.
func (c *core) versions(call *call) ([]gateway.Version, error) {
	candidates := make([]gateway.Version, 0, 4)
	if pinned, ok := c.Gateway.pinned(); ok {
		candidates = append(candidates, pinned)
	} else {
		candidates = append(candidates, c.preferred(), gateway.Printed, gateway.V208, gateway.V207)
	}
	tried := candidates[:0]
	for _, v := range candidates {
		path, ok := v.Path(call.path)
		if !ok {
			continue
		}
		same := func(other gateway.Version) bool {
			otherPath, _ := other.Path(call.path)
			return path == otherPath && call.plan.Layout(call.path, v).Same(call.plan.Layout(call.path, other))
		}
		if !slices.ContainsFunc(tried, same) {
			tried = append(tried, v)
		}
	}
	if call.effect == param.EffectOnce && len(tried) > 1 {
		tried = tried[:1]
	}
	if len(tried) == 0 {
		return nil, fmt.Errorf("%w: %s is only in gateway %s, and Config.Gateway is %s: set it to the version of the gateway",
			ErrUnsupported, call.path, gateway.Having(call.path), c.Gateway)
	}
	return tried, nil
}

// withReason adds why encodings were left out.
func withReason(err, unfit error) error {
	if unfit == nil {
		return err
	}
	return fmt.Errorf("%w; an encoding for older gateways was not tried: %w", err, unfit)
}

// preferred returns the encoding that was accepted last.
func (c *core) preferred() gateway.Version {
	if v := c.accepted.Load(); v != nil {
		return *v
	}
	return gateway.Printed
}

func (c *core) prefer(version gateway.Version) {
	if version != c.preferred() {
		accepted := version // a copy, so that only this branch allocates
		c.accepted.Store(&accepted)
	}
}

// misunderstood returns the refusal in err if another encoding could avoid it, else nil. The gateway makes these
// refusals before it does anything, so the call can be sent again.
func (call *call) misunderstood(version gateway.Version, err error) *GatewayError {
	var refusal *GatewayError
	if !errors.As(err, &refusal) {
		return nil
	}
	if refusal.proof == gateway.ProvesNothing || refusal.refusedTime() {
		return nil // the call may have run, or the signature was right
	}
	newest, older := call.plan.Layout(call.path, gateway.V208), call.plan.Layout(call.path, gateway.V207)
	if refusal.refusedSign() || refusal.refusedParam() && !newest.SameNames(older) ||
		refusal.refusedBody() && call.plan.OtherForm(call.request, newest, older) {
		return refusal
	}
	// A gateway that does not check signatures ignores a number whose name it does not know, and finds no order.
	if version == gateway.Printed && refusal.proof == gateway.ProvesNoSuchOrder &&
		!newest.SameNames(call.plan.Layout(call.path, version)) {
		return refusal
	}
	return nil
}

// roundTrip makes one attempt: one request, one answer, every check.
func (c *core) roundTrip(ctx context.Context, call *call, version gateway.Version, path string) (answer, error) {
	body, err := c.seal(call, version)
	switch {
	case errors.Is(err, ErrParam):
		return answer{}, err
	case err != nil: // crypto/rand failed
		return answer{}, &TransportError{Path: path, NeverSent: true, Err: err}
	}
	reply, err := c.post(ctx, call, path, body)
	a := answer{status: reply.status}
	if err == nil {
		err = c.read(call, version, path, &reply, &a)
	}
	return a, err
}
