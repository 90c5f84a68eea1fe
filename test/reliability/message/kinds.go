// Package message has one signed message of every kind that a gateway sends, with all members filled. Exceptions lists
// what the protocol allows an attacker to change in it.
package message

import (
	"cmp"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/calltable"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

const (
	// Secret signs the messages.
	Secret = "message-secret"
	// TraceID is in every answer.
	TraceID = "otTneUZX4KEK"
	// noticePath is the path in errors about notices.
	noticePath = "notice"

	made = 1715500234
)

// Zone is the time zone of the times in messages.
var Zone = time.FixedZone("Asia/Shanghai", 8*60*60)

// Now is when the messages were made.
func Now() time.Time { return time.Unix(made, 0) }

// Kind is a kind of answer or notice.
type Kind struct {
	// Name is the param's type, or the notice's.
	Name string
	// Path is that of the call, or "notice".
	Path string
	// Model is the struct that the message becomes.
	Model reflect.Type
	// Effect is what the call may have done if its answer is lost.
	Effect param.Effect
	// Unnamed: gateway 2.0.8 names no order in the answer.
	Unnamed bool
	// Echoes are the members that must repeat what was asked for. Proofs are the members that prove success.
	Echoes, Proofs []string

	members string
	receive func(context.Context, *daxpay.Client, []byte) (*Outcome, error)
}

// IsNotice reports whether the kind is a notice, not an answer.
func (k *Kind) IsNotice() bool { return k.Path == noticePath }

// Outcome is what the user gets of an accepted message.
type Outcome struct {
	Model       any // pointer to the struct
	Code        int
	Msg         string
	TraceID     string
	Raw         json.RawMessage
	Verified    bool
	SecretIndex int
}

// Signed is a signed message: the object with the signature, and the whole body.
type Signed struct {
	Object, Body string
	Sign         string
}

// Sealed returns the kind's message, signed by package peer and not by the client.
func (k *Kind) Sealed(signType daxpay.SignType) Signed {
	return k.Seal(k.members, signType)
}

// Members returns the members of the message, including sign, whose value is SignMark.
func (k *Kind) Members() string { return k.members }

// SignMark stands in members for the signature.
const SignMark = "SIGN"

// Seal signs members, and replaces SignMark by the signature.
func (k *Kind) Seal(members string, signType daxpay.SignType) Signed {
	object, err := peer.Parse([]byte("{" + members + "}"))
	if err != nil {
		panic("message: " + k.Name + ": " + err.Error()) // a mistake in this package
	}
	s := Signed{Sign: peer.Sign(object, string(signType), Secret, Zone)}
	s.Object = "{" + strings.Replace(members, SignMark, s.Sign, 1) + "}"
	s.Body = k.Wrap(s.Object)
	return s
}

// Wrap puts the signed object into its envelope.
func (k *Kind) Wrap(object string) string {
	if k.IsNotice() {
		return object
	}
	return `{"msg":"success","code":0,"data":` + object + `,"traceId":"` + TraceID + `"}`
}

// answer returns the kind of the answers to a call.
func answer(c *calltable.Call) Kind {
	p := c.Param("1")
	members := common + tail
	if c.Answer != "" {
		members = common + "," + c.Answer + tail
	}
	return Kind{
		Name: c.ParamType.Name(), Path: c.Path(), Model: c.Model, Effect: c.Effect, Unnamed: c.Unnamed,
		Echoes: echoes(reflect.ValueOf(p).Elem()), Proofs: proofs(c.Model), members: members,
		receive: func(ctx context.Context, kit *daxpay.Client, _ []byte) (*Outcome, error) {
			res, err := c.Do(ctx, kit, p)
			if err != nil {
				return nil, err
			}
			return &Outcome{
				Model: res.Data, Msg: res.Msg, TraceID: res.TraceID, Raw: res.Raw, Verified: res.Verified,
				SecretIndex: res.SecretIndex,
			}, nil
		},
	}
}

func notice[T any](members string) Kind {
	return Kind{
		Name: reflect.TypeFor[T]().Name(), Path: noticePath, Model: reflect.TypeFor[T](),
		Proofs:  proofs(reflect.TypeFor[T]()),
		members: common + "," + members + tail,
		receive: func(_ context.Context, kit *daxpay.Client, body []byte) (*Outcome, error) {
			n, err := kit.ParseNotice(body)
			if err != nil {
				return nil, err
			}
			return &Outcome{Model: n, Raw: body, Verified: true}, nil
		},
	}
}

// echoes returns the names under which an answer repeats the numbers of a param.
func echoes(p reflect.Value) []string {
	var names []string
	for i := range p.NumField() {
		f := p.Type().Field(i)
		for _, rule := range strings.Split(f.Tag.Get("daxpay"), ",") {
			if key, name, _ := strings.Cut(rule, "="); key == "no" && !p.Field(i).IsZero() {
				names = append(names, cmp.Or(name, jsonName(f)))
			}
		}
	}
	return names
}

// proofs returns the names of the members of a model that prove success.
func proofs(m reflect.Type) []string {
	var names []string
	for i := range m.NumField() {
		if f := m.Field(i); slices.Contains(strings.Split(f.Tag.Get("daxpay"), ","), "proof") {
			names = append(names, jsonName(f))
		}
	}
	return names
}

// ProofsOf returns the members that the model of a result must have. A notice can be taken for another kind of notice.
func ProofsOf(o *Outcome) []string { return proofs(reflect.TypeOf(o.Model).Elem()) }

// The members that every message has, and what a newer gateway might add to one.
const (
	common = `"code":0,"msg":"处理 \"完成\"","resTime":1715500234,"sign":"` + SignMark + `"`
	tail   = `,"future":{"B":"x","a":[1,2.50,true,null]},"futureNull":null,"futureText":"caf\u00e9"`
)

// Kinds returns every kind: the answers to all calls of gateway 2.0.8, and the notices.
func Kinds() []Kind {
	var kinds []Kind
	for _, c := range calltable.Current() {
		kinds = append(kinds, answer(&c))
	}
	return append(kinds,
		notice[model.PayNotice](calltable.PayOrder+`,"attach":"x=1"`),
		notice[model.RefundNotice](calltable.RefundOrder+`,"attach":"x=1"`),
		notice[model.AllocNotice](calltable.AllocOrder+`,"attach":"x=1","finishTime":1715500231,`+
			calltable.Shares("", "1715500231")),
	)
}
