package main

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/calltable"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/param"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

// markedCall is a call with marks in its param.
type markedCall struct {
	name string // of the param
	call func(ctx context.Context, kit *daxpay.Client) error
}

// callOf returns the call of any param.
func callOf[T any](p param.Request[T]) markedCall {
	return markedCall{
		name: reflect.TypeOf(p).Elem().Name(),
		call: func(ctx context.Context, kit *daxpay.Client) error {
			_, err := daxpay.Execute(ctx, kit, p)
			return err
		},
	}
}

// markedCalls returns all calls of gateway 2.0.8, with marks in every text of their params.
func markedCalls() []markedCall {
	var all []markedCall
	for _, c := range calltable.Current() {
		p := c.Param("1")
		markParam(reflect.ValueOf(p).Elem())
		all = append(all, markedCall{c.ParamType.Name(), func(ctx context.Context, kit *daxpay.Client) error {
			_, err := c.Do(ctx, kit, p)
			return err
		}})
	}
	return all
}

// markParam puts marks into the texts of a struct, except the numbers of orders, which answers repeat.
func markParam(v reflect.Value) {
	for i := range v.NumField() {
		f, tag := v.Field(i), v.Type().Field(i)
		rules := strings.Split(tag.Tag.Get("daxpay"), ",")
		isNumber := strings.HasPrefix(rules[0], "no")
		switch {
		case tag.Anonymous || isNumber:
		case f.Kind() == reflect.Slice:
			for j := range f.Len() {
				markParam(f.Index(j))
			}
		case f.Kind() == reflect.Interface && !f.IsNil():
			extra := reflect.New(f.Elem().Type()).Elem()
			markParam(extra)
			f.Set(extra)
		case f.Type() != reflect.TypeFor[string](): // a code, an amount, a time
		case strings.HasPrefix(f.String(), "{"):
			f.SetString(`{"a":"` + accountMark + `"}`)
		case slices.Contains(rules, "text"):
			f.SetString(nameMark + accountMark + tokenMark)
		case slices.Contains(rules, "opaque"), slices.Contains(rules, "url"):
			f.SetString("https://shop.example.com/?t=" + tokenMark)
		default:
			f.SetString(accountMark)
		}
	}
}

// markTexts puts marks into the texts of a message.
var markTexts = strings.NewReplacer(
	"王小明", nameMark, "店主", nameMark, `张\n三 Brown`, nameMark, "会员", nameMark, "工资", nameMark, "佣金", nameMark,
	`"2088"`, `"`+accountMark+`"`, `"1900000109"`, `"`+accountMark+`"`, "80_token", tokenMark, "oUpF8", tokenMark,
	"x=1", tokenMark,
	`"futureText":`, `"payeeName2":"`+nameMark+`","payeeAccount2":"`+accountMark+`","accessToken2":"`+tokenMark+`","futureText":`,
)

// marked returns the message of a kind with marks in it. edit changes its members before signing, spoil the body after
// signing.
func (s *scenario) marked(k *message.Kind, edit, spoil func(string) string) []byte {
	members := markTexts.Replace(k.Members())
	if edit != nil {
		members = edit(members)
	}
	object, err := peer.Parse([]byte("{" + members + "}"))
	if err != nil {
		panic("the marked message: " + err.Error()) // a mistake in this package
	}
	sign := peer.Sign(object, peer.HMACSHA256, secretMark, message.Zone)
	s.signatures = append(s.signatures, sign)
	body := k.Wrap("{" + strings.Replace(members, message.SignMark, sign, 1) + "}")
	if spoil != nil {
		body = spoil(body)
	}
	return []byte(body)
}

func kindNamed(name string) *message.Kind {
	for _, k := range message.Kinds() {
		if k.Name == name {
			return &k
		}
	}
	panic("no kind of message is called " + name) // a mistake in this package
}

// failing returns an error for printing, nothing if there is none.
func failing(err error) []any {
	if err == nil {
		return nil
	}
	return []any{err}
}

func replacing(old, replacement string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, replacement, 1) }
}

func failures() []failure {
	var all []failure
	for _, a := range markedCalls() {
		all = append(all, transportFailures(&a)...)
		all = append(all, answerFailures(&a)...)
	}
	all = append(all, rawFailures()...)
	all = append(all, noticeFailures()...)
	all = append(all, doctorFailures()...)
	all = append(all, paramFailures()...)
	all = append(all, configFailures()...)
	return append(all, values()...)
}
