package main

import (
	"reflect"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// signing measures how fast raw JSON and params are signed.
func signing(m *meter) []row {
	var rows []row
	signer, limit := newSigner(daxpay.HMACSHA256), pooledHMAC()
	for _, c := range []struct {
		name, object    string
		param           any // the same request as a param
		raw, fromStruct target
	}{
		{"4 members", fourMembers, fourMembersParam(), 2.4, 2.2},
		{"16 members", sixteenMembers, sixteenMembersParam(), 3.0, 2.7},
		{"nested list", nestedList, nestedListParam(), 4.0, 3.0},
	} {
		object := []byte(c.object)
		f := m.measure("Sign/"+c.name,
			appendSign(signer, object),
			once("Sign", func() error { _, err := signer.Sign(object); return err }),
			sealed(c.param, signedText(signer, object)),
			limit.over("pooled HMAC", signedText(signer, object)),
		)
		rows = append(rows,
			compared("sign, "+c.name, f[0], f[3], c.raw),
			allocated("sign, "+c.name+", append form", f[0], target(0)),
			allocated("sign, "+c.name+", string form", f[1], target(1)),
			compared("write and sign a param, "+c.name, f[2], f[3], c.fromStruct),
			allocated("write and sign a param, "+c.name, f[2], target(0)),
		)
	}
	return append(rows, signingMD5(m)...)
}

func signingMD5(m *meter) []row {
	signer, object := newSigner(daxpay.MD5), []byte(fourMembers)
	f := m.measure("SignMD5/4 members", appendSign(signer, object),
		pooledMD5().over("pooled MD5", signedText(signer, object)))
	return []row{compared("sign with MD5, 4 members", f[0], f[1], noTarget)}
}

// signingNaively measures the naive way to sign.
func signingNaively(m *meter) []row {
	signer, object, p := newSigner(daxpay.HMACSHA256), []byte(fourMembers), fourMembersNaive()
	if must(naiveSign(p)) != must(signer.Sign(object)) {
		panic("the naive code does not sign alike")
	}
	f := m.measure("SignNaive",
		once("naive", func() error { _, err := naiveSign(p); return err }),
		appendSign(signer, object),
		sealed(fourMembersParam(), signedText(signer, object)),
	)
	return []row{
		compared("naive: struct → map → sort → hmac.New, 4 members", f[0], f[2], noTarget),
		allocated("naive: struct → map → sort → hmac.New", f[0], noTarget),
	}
}

func appendSign(signer *daxpay.Signer, object []byte) subject {
	var buf [64]byte
	return once("AppendSign", func() error { _, err := signer.AppendSign(buf[:0], object); return err })
}

// sealed makes a request from a param as the client does: JSON, canonical text and signature. text is the canonical
// text of the same request in raw JSON, to check against.
func sealed(p any, text []byte) subject {
	v := reflect.ValueOf(p).Elem()
	layout := must(wire.PlanOf(v.Type())).Layout("/x", gateway.V208)
	key := wire.NewKey(wire.HMACSHA256, secret)
	stamp := wire.Stamp{Nonce: "0f1e2d3c4b5a69788796a5b4c3d2e1f0", ClientIP: "127.0.0.1", Time: 1715500231, Zone: time.UTC}
	if _, nested := p.(*param.AllocStartParam); nested {
		stamp = wire.Stamp{Time: 1717261696, Zone: time.UTC}
	}
	var (
		e    wire.Encoder
		body []byte
	)
	if got := string(must(e.Encode(layout, v, stamp))) + wire.KeyLabel + secret; got != string(text) {
		panic("the param is another request: " + got)
	}
	return once("param", func() error {
		_, err := e.Encode(layout, v, stamp)
		body = append(body[:0], e.Seal(key)...)
		return err
	})
}

func fourMembersParam() *param.PaySyncParam {
	return &param.PaySyncParam{BizOrderNo: "SDK_1715341621498"}
}

func sixteenMembersParam() *param.PayParam {
	return &param.PayParam{
		BizOrderNo: "SDK_1715341280312", Title: "测试接口支付", Description: "这是支付备注", Allocation: true, AutoAllocation: true,
		ExpiredTime: time.Unix(1715500831, 0), Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 100,
		Attach:    "{回调参数}",
		ReturnURL: "https://abc.com/return", QuitURL: "https://abc.com/quit", NotifyURL: "https://abc.com/callback",
	}
}

func nestedListParam() *param.AllocStartParam {
	return &param.AllocStartParam{
		BizAllocNo: "A29729",
		Receivers:  []param.AllocReceiver{{ReceiverNo: "123", Amount: 6000}, {ReceiverNo: "124", Amount: 7000}},
	}
}
