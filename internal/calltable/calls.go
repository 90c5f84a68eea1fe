// Package calltable is the one table of the gateway's calls for tests. Each call has one row: a param, an answer, what
// a lost answer may have done, and where each version of the gateway has the call. The tests of the client and of
// daxpaytest, and the programs in test, run every row. No code that ships imports this package, and it does not import
// testing.
package calltable

import (
	"context"
	"hash/fnv"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/param"
)

// Call is a row of the table. All data about an order derives from a short text n, in the param and in the answer
// alike, so an answer about another order shows. A number is one or two capital letters followed by n: P, R, A and T
// for the gateway's, B, BR, BA and BT for the merchant's, and V for a receiver. See Amount and Title for the rest.
type Call struct {
	// Name is the name of the method of daxpay.Client.
	Name string
	// Effect is what the call may have done if its answer is lost. The table repeats it on purpose, to test what the
	// param itself says.
	Effect param.Effect
	// Sent has, for each version that has the call, the path there, followed by the sorted names of the members that
	// Param sends in addition to those of every request.
	Sent map[daxpay.GatewayVersion]string
	// Unfit lists the versions that have the call but lack a member of Param. The client refuses Param there.
	Unfit []daxpay.GatewayVersion
	// Refused lists the versions whose gateway has the call but always refuses it.
	Refused []daxpay.GatewayVersion
	// Unnamed says that the answer of 2.0.8 names no order. Any other success can then replace it unnoticed.
	Unnamed bool
	// Answer has the members of a signed answer of 2.0.8 to the param for n = "1", without those of every answer. It
	// fills every field of the model, and spells values as gateways do. It is empty if no version signs an answer to
	// the call.
	Answer string
	// ParamType and Model are the struct types of the param and the model.
	ParamType, Model reflect.Type
	// Param returns a new param for n, a pointer to a ParamType. It has one of the numbers that each stand for the
	// order, and every text.
	Param func(n string) any
	// Stock puts into a gateway what the call for n needs. It may be called again for the same n.
	Stock func(gw *daxpaytest.Gateway, n string)
	// Do makes the call with a pointer to a ParamType.
	Do func(ctx context.Context, kit *daxpay.Client, p any) (*Result, error)
	// Right reports whether the model, given by a pointer, is what a stocked gateway answers for n.
	Right func(m any, n string) bool
}

// Result is the result of any call. Data is a pointer to the model.
type Result = daxpay.Result[any]

// The versions.
const (
	v205 = daxpay.GatewayV205
	v206 = daxpay.GatewayV206
	v207 = daxpay.GatewayV207
	v208 = daxpay.GatewayV208
)

// Versions returns the versions of the gateway.
func Versions() []daxpay.GatewayVersion { return []daxpay.GatewayVersion{v205, v206, v207, v208} }

// Current returns the calls of gateway 2.0.8.
func Current() []Call {
	return slices.DeleteFunc(All(), func(c Call) bool { return c.Sent[v208] == "" })
}

// Path returns the call's path in gateway 2.0.8, or in 2.0.5 for calls that only 2.0.5 has.
func (c *Call) Path() string {
	if at := c.PathIn(v208); at != "" {
		return at
	}
	return c.PathIn(v205)
}

// PathIn returns the call's path in a version. It is empty if the version lacks the call, or cannot take Param.
func (c *Call) PathIn(v daxpay.GatewayVersion) string {
	path, _, _ := strings.Cut(c.Sent[v], " ")
	return path
}

// MembersIn returns the names of the members that Param sends to a version.
func (c *Call) MembersIn(v daxpay.GatewayVersion) string {
	_, members, _ := strings.Cut(c.Sent[v], " ")
	return members
}

// row is a row of the table with the types of its param and model.
type row[P, M any] struct {
	name           string
	effect         param.Effect
	sent           map[daxpay.GatewayVersion]string
	unfit, refused []daxpay.GatewayVersion
	unnamed        bool
	do             func(*daxpay.Client, context.Context, *P) (*daxpay.Result[M], error)
	param          func(n string) *P
	answer         string
	stock          func(gw *daxpaytest.Gateway, n string) // nil: the call needs nothing
	right          func(m *M, n string) bool              // nil: the answer says nothing but that the call succeeded
}

func (r row[P, M]) call() Call {
	return Call{
		Name: r.name, Effect: r.effect, Sent: r.sent, Unfit: r.unfit, Refused: r.refused, Unnamed: r.unnamed,
		Answer: r.answer, ParamType: reflect.TypeFor[P](), Model: reflect.TypeFor[M](),
		Param: func(n string) any { return r.param(n) },
		Stock: func(gw *daxpaytest.Gateway, n string) {
			if r.stock != nil {
				r.stock(gw, n)
			}
		},
		Do: func(ctx context.Context, kit *daxpay.Client, p any) (*Result, error) {
			res, err := r.do(kit, ctx, p.(*P))
			if err != nil {
				return nil, err
			}
			return &Result{
				Data: &res.Data, Msg: res.Msg, TraceID: res.TraceID, Raw: res.Raw, Verified: res.Verified,
				SecretIndex: res.SecretIndex,
			}, nil
		},
		Right: func(m any, n string) bool { return r.right == nil || r.right(m.(*M), n) },
	}
}

// since206, since207 and since208 return Sent for a call that has the same path and members in all its versions.
func since206(sent string) map[daxpay.GatewayVersion]string {
	return map[daxpay.GatewayVersion]string{v206: sent, v207: sent, v208: sent}
}

func since207(sent string) map[daxpay.GatewayVersion]string {
	return map[daxpay.GatewayVersion]string{v207: sent, v208: sent}
}

func since208(sent string) map[daxpay.GatewayVersion]string {
	return map[daxpay.GatewayVersion]string{v208: sent}
}

// Amount returns the amount of the order n in fen.
func Amount(n string) int64 { return int64(hash(n)%1_000_000) + 100 }

// Title returns the title of the order n, which is also its other texts.
func Title(n string) string { return "关于" + n }

// oneOf picks a value by n. It tells orders apart whose answers have no number.
func oneOf[S any](n string, values ...S) S { return values[int(hash(n)>>8)%len(values)] }

func hash(n string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(n))
	return h.Sum32()
}

// client returns a client that reaches a gateway without connections. If one of its calls fails, the gateway lacks what
// the row needs, and then the row's own call fails.
func client(gw *daxpaytest.Gateway) *daxpay.Client {
	config := gw.Config()
	config.HTTPClient = &http.Client{Transport: gw}
	kit, err := daxpay.New(config)
	if err != nil {
		return &daxpay.Client{}
	}
	return kit
}
