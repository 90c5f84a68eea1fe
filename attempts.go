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
	beyond   func(now time.Time) []param.Fault // finds what tags cannot say
	proof    []string
	refusals param.Refusals
	recovery string

	request reflect.Value // the param's struct; only read
	model   reflect.Value // where the answer goes

	end time.Time // of its attempts, by Config.Timeout

	plan, answerPlan *wire.Plan
	versions         []gateway.Version // the encodings to try
	unfit            error             // why GatewayAuto leaves out encodings of older gateways
}

// answer is what is known of an answer beside the model; when it was refused, what was known until then.
type answer struct {
	status   int
	code     int
	msg      string
	traceID  string
	raw      []byte
	ahead    time.Duration // from resTime until it came
	signed   bool          // its signature is right
	verified bool          // and it is the answer to this call, made now

	secretIndex int // of the secret under which it was verified
}

// execute checks the call and makes its attempts.
func (c *core) execute(ctx context.Context, call *call) (answer, error) {
	if err := c.check(call); err != nil {
		return answer{}, err
	}
	ctx, watch := c.watch(ctx, call)
	call.end = time.Now().Add(c.Timeout)
	attempts := func() (answer, error) { return c.attempts(ctx, call, watch) }
	if call.effect == param.EffectOnce {
		once := attempts
		attempts = func() (answer, error) { return c.claimed(ctx, call, once) }
	}
	a, err := attempts()
	watch.done(ctx, err)
	return a, err
}

// attempts sends the call in one encoding after the other until one is understood, and again where Retry and the call's
// effect allow it.
func (c *core) attempts(ctx context.Context, call *call, watch *watch) (answer, error) {
	var failed *failures // a call that works needs none
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

// check finds out in which encodings the call is to be tried, and everything that keeps it from being sent at all. With
// GatewayAuto it must be fit for 2.0.8, and encodings of older gateways for which it is not are left out.
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

// faults makes one error of the faults of the param.
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

// versions lists in which encodings the call is to be tried: the pinned one, or those of GatewayAuto that differ.
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
		return nil, fmt.Errorf("%w: %s is not in gateway %s, but in %s: set Config.Gateway to the version that the gateway "+
			"is",
			ErrUnsupported, call.path, c.Gateway, gateway.Having(call.path))
	}
	return tried, nil
}

// withReason adds why no other encoding was tried.
func withReason(err, unfit error) error {
	if unfit == nil {
		return err
	}
	return fmt.Errorf("%w; an encoding for older gateways was left out: %w", err, unfit)
}

// preferred is the encoding that was accepted last.
func (c *core) preferred() gateway.Version {
	if v := c.accepted.Load(); v != nil {
		return *v
	}
	return gateway.Printed
}

func (c *core) prefer(version gateway.Version) {
	if version != c.preferred() {
		accepted := version // which, unlike the parameter, takes memory only here
		c.accepted.Store(&accepted)
	}
}

// misunderstood returns the refusal in err that another encoding could avoid, nil if there is none. The gateway refuses
// in these ways before it does anything, so that the call can go out again.
func (call *call) misunderstood(version gateway.Version, err error) *GatewayError {
	var refusal *GatewayError
	if !errors.As(err, &refusal) {
		return nil
	}
	if refusal.proof == gateway.ProvesNothing || refusal.refusedTime() {
		return nil // it may have run, or its signature was understood
	}
	newest, older := call.plan.Layout(call.path, gateway.V208), call.plan.Layout(call.path, gateway.V207)
	if refusal.refusedSign() || refusal.refusedParam() && !newest.SameNames(older) ||
		refusal.refusedBody() && call.plan.OtherForm(call.request, newest, older) {
		return refusal
	}
	// A gateway that does not check signatures passes over a number whose name it does not know, and finds no order.
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
	case err != nil: // no random numbers
		return answer{}, &TransportError{Path: path, NeverSent: true, Err: err}
	}
	reply, err := c.post(ctx, call, path, body)
	a := answer{status: reply.status}
	if err == nil {
		err = c.read(call, version, path, &reply, &a)
	}
	return a, err
}
