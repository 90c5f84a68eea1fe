package daxpay_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/param"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

var signTypes = []daxpay.SignType{daxpay.HMACSHA256, daxpay.MD5}

// fuzzed returns a receiver for each algorithm, for the fuzz targets of messages.
func fuzzed(f *testing.F, configure func(*daxpay.Config)) []*message.Receiver {
	f.Helper()
	receivers := make([]*message.Receiver, len(signTypes))
	for i, signType := range signTypes {
		var err error
		receivers[i], err = message.NewReceiver(signType, configure)
		require.NoError(f, err)
	}
	return receivers
}

// requireTyped checks that an error is one of those in errors.go and names the path.
func requireTyped(t *testing.T, k *message.Kind, err error) {
	t.Helper()
	require.Contains(t, err.Error(), k.Path)
	var (
		sign    *daxpay.SignError
		answer  *daxpay.AnswerError
		page    *daxpay.HTTPError
		refusal *daxpay.GatewayError
	)
	if errors.As(err, &sign) || errors.As(err, &answer) || errors.As(err, &page) || errors.As(err, &refusal) {
		return
	}
	require.Fail(t, "an error of no type that errors.go knows", "%T %v", err, err)
}

// FuzzAnswer feeds bodies to calls. A body that is an object is also tried as the data of an answer with a valid
// signature, to reach the checks after the signature. An accepted answer must be signed over the bytes in Raw as the
// gateway signs, and hold what encoding/json finds in them.
func FuzzAnswer(f *testing.F) {
	kinds := message.Kinds()
	for _, h := range hostile(f) {
		f.Add(uint8(0), false, []byte(h.body))
	}
	for i := range kinds {
		if !kinds[i].IsNotice() {
			f.Add(uint8(i), i%2 == 0, []byte(kinds[i].Sealed(daxpay.HMACSHA256).Object))
		}
	}
	receivers := fuzzed(f, func(c *daxpay.Config) { c.MaxAge = -1 })
	f.Fuzz(func(t *testing.T, kind uint8, md5 bool, body []byte) {
		k := &kinds[int(kind)%len(kinds)]
		if k.IsNotice() {
			return // see FuzzNotice
		}
		receiveAll(t, receivers, k, md5, body)
	})
}

// FuzzNotice is FuzzAnswer for notices.
func FuzzNotice(f *testing.F) {
	kinds := message.Kinds()
	for i := range kinds {
		f.Add(i%2 == 0, []byte(kinds[i].Sealed(daxpay.HMACSHA256).Object))
	}
	for _, v := range readVectors(f, "notices.jsonl")[:20] {
		f.Add(false, []byte(v.Body))
	}
	receivers := fuzzed(f, nil)
	notice := &kinds[len(kinds)-1] // its model does not matter: the client chooses by what is in the body
	f.Fuzz(func(t *testing.T, md5 bool, body []byte) {
		receiveAll(t, receivers, notice, md5, body)
	})
}

func receiveAll(t *testing.T, receivers []*message.Receiver, k *message.Kind, md5 bool, input []byte) {
	t.Helper()
	chosen := 0
	if md5 {
		chosen = 1
	}
	receive := func(body []byte) {
		outcome, err := receivers[chosen].Receive(k, body)
		if err != nil {
			require.Nil(t, outcome)
			requireTyped(t, k, err)
			return
		}
		require.NoError(t, message.Genuine(body, outcome, signTypes[chosen]), "%s", body)
	}
	receive(input)
	object, err := peer.Parse(input)
	if err != nil {
		return
	}
	object = withoutSign(object)
	object = append(object, peer.Pair{Name: "sign",
		Value: peer.Sign(object, string(signTypes[chosen]), message.Secret, message.Zone)})
	receive([]byte(k.Wrap(string(peer.Encode(object)))))
}

func withoutSign(o peer.Object) peer.Object {
	var rest peer.Object
	for _, p := range o {
		if p.Name != "sign" {
			rest = append(rest, p)
		}
	}
	return rest
}

// FuzzTamper replaces a piece of a genuine message with another. A message that is still accepted must be one of the
// exceptions that the protocol forces, and differ from the genuine one only as the exception says.
func FuzzTamper(f *testing.F) {
	kinds := message.Kinds()
	for i := range kinds {
		body := kinds[i].Sealed(daxpay.HMACSHA256).Body
		for _, mark := range []string{`"status"`, `"amount"`, `"msg":"`, `"title":"`, `"traceId"`, `"futureNull"`} {
			if at := strings.Index(body, mark); at > 0 {
				f.Add(uint8(i), i%2 == 0, uint16(at), uint16(0), []byte(" "))
				f.Add(uint8(i), i%2 == 0, uint16(at+len(mark)-1), uint16(1), []byte(`"\"`))
			}
		}
	}
	// One of every exception, or nearly.
	for _, edit := range []struct{ kind, old, changed string }{
		{"PayNotice", `caf\u00e9`, `caf\u00E9`},
		{"PaySyncParam", `"orderNo":"P1","bizOrderNo":"B1"`, `"bizOrderNo":"B1","orderNo":"P1"`},
		{"PaySyncParam", message.TraceID, "x"}, {"PayNotice", `会员 \"VIP\"`, `会员 VIP`},
		{"PayNotice", `"status":"success"`, `"status":"suc\"cess"`},
		{"PayParam", `{\"url\":\"`, `{url:`}, {"QueryAllocOrderParam", `张\n三`, `张n三`},
		{"QueryAllocOrderParam", `wx_merchant`, `wx_mercha\nt`},
		{"PayNotice", `A&B&device=ios"`, `A&B","device":"ios"`}, {"PayNotice", `"futureNull"`, `"refundNo"`},
		{"PayNotice", `"futureNull":null`, `"x":[]`},
		{"PayNotice", `"amount":9900`, `"amount":"9900"`}, {"QueryTransferOrderParam", `"2024-05-12 15:50:30"`, `1715500230`},
		{"PayNotice", `{"B":"x","a":[1,2.50,true,null]}`, `"{a:[1,2.5,true],B:x}"`},
		{"PayNotice", `"code":0`, `"code":0,"c\u006fde":0`},
	} {
		i := slices.IndexFunc(kinds, func(k message.Kind) bool { return k.Name == edit.kind })
		at := strings.Index(kinds[i].Sealed(daxpay.HMACSHA256).Body, edit.old)
		require.Positive(f, at, edit.old)
		f.Add(uint8(i), false, uint16(at), uint16(len(edit.old)), []byte(edit.changed))
	}
	receivers := fuzzed(f, nil)
	genuine := make(map[string]*message.Outcome)
	for i := range kinds {
		for j, signType := range signTypes {
			outcome, err := receivers[j].Receive(&kinds[i], []byte(kinds[i].Sealed(signType).Body))
			require.NoError(f, err, "is the answer in the row of %s in internal/calltable/table.go complete?", kinds[i].Name)
			genuine[kinds[i].Name+string(signType)] = outcome
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, md5 bool, at, length uint16, insert []byte) {
		k, chosen := &kinds[int(kind)%len(kinds)], 0
		if md5 {
			chosen = 1
		}
		signType := signTypes[chosen]
		original := k.Sealed(signType).Body
		from := int(at) % len(original)
		to := min(from+int(length), len(original))
		changed := []byte(original[:from] + string(insert) + original[to:])
		after, err := receivers[chosen].Receive(k, changed)
		if err != nil {
			requireTyped(t, k, err)
			return
		}
		names, err := k.Judge([]byte(original), changed, genuine[k.Name+string(signType)], after, signType)
		require.NoError(t, err, "%s", changed)
		require.Equal(t, string(changed) != original, len(names) > 0)
	})
}

// FuzzServiceURL checks that requests go to the scheme, host and prefix of a ServiceURL that New accepts, with nothing
// else in the URL.
func FuzzServiceURL(f *testing.F) {
	for _, s := range []string{
		"http://127.0.0.1:9000", "https://pay.example.com/", "https://pay.example.com/prefix/", "https://[::1]:8443/a%2Fb/",
		"HTTPS://Pay.Example.COM",
		"https://pay.example.com@evil.example", "https://pay.example.com?x", "https://pay.example.com/#",
		`https://pay.example.com\@evil`, "https://pay.example.com//", "https://支付.example",
		"https://pay.example.com/{path}", "https://pay.example.com/..", "https://pay.example.com/ ", "ftp://x", "//x",
		"http:x", "https://pay.example.com/;a=b", "https://pay.example.com:/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, service string) {
		var asked *url.URL
		var header http.Header
		kit, err := daxpay.New(daxpay.Config{
			ServiceURL: service, SignSecret: secret, Gateway: daxpay.GatewayV208, Retry: once,
			HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				asked, header = r.URL, r.Header
				return jsonAnswer("{}")(r)
			})},
		})
		if err != nil {
			require.ErrorIs(t, err, daxpay.ErrConfig)
			require.Contains(t, err.Error(), "Config.ServiceURL")
			return
		}
		_, err = kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{OrderNo: "P1"})
		require.Error(t, err)
		if asked == nil {
			require.ErrorContains(t, err, "no answer", "nothing was sent, which is an error of the transport")
			return
		}
		want, err := url.Parse(strings.TrimRight(service, "/"))
		require.NoError(t, err)
		require.Equal(t, want.Scheme, asked.Scheme)
		require.Equal(t, strings.TrimSuffix(want.Host, ":"), asked.Host, "net/http drops the colon of an empty port")
		require.Equal(t, want.Path+"/unipay/query/payOrder", asked.Path)
		require.Equal(t, want.EscapedPath()+"/unipay/query/payOrder", asked.EscapedPath())
		require.Empty(t, asked.RawQuery)
		require.Empty(t, asked.Fragment)
		require.Nil(t, asked.User)
		require.Empty(t, header.Get("Authorization"))
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
