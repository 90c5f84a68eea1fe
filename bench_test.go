package daxpay_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/param"
)

const (
	fourMembers    = `{"bizOrderNo":"SDK_1715341621498","clientIp":"127.0.0.1","nonceStr":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","reqTime":1715500231}`
	sixteenMembers = `{"allocation":false,"amount":100,"attach":"{回调参数}","autoAllocation":false,"bizOrderNo":"SDK_1715341280312","channel":"ali_pay",` +
		`"clientIp":"127.0.0.1","description":"这是支付备注","expiredTime":1715500831,"method":"qrcode","nonceStr":"0f1e2d3c4b5a69788796a5b4c3d2e1f0",` +
		`"notifyUrl":"https://abc.com/callback","quitUrl":"https://abc.com/quit","reqTime":1715500231,"returnUrl":"https://abc.com/return","title":"测试接口支付"}`
	nestedList = `{"bizAllocNo":"A29729","receivers":[{"receiverNo":"123","amount":6000},{"receiverNo":"124","amount":7000}],"reqTime":1717261696}`
)

func benchSigner(b *testing.B, signType daxpay.SignType) *daxpay.Signer {
	b.Helper()
	s, err := daxpay.NewSigner(signType, secret)
	require.NoError(b, err)
	return s
}

func BenchmarkSign(b *testing.B) {
	for name, object := range map[string]string{"4members": fourMembers, "16members": sixteenMembers,
		"nested": nestedList} {
		for _, signType := range []daxpay.SignType{daxpay.HMACSHA256, daxpay.MD5} {
			b.Run(name+"/"+string(signType), func(b *testing.B) {
				s, raw := benchSigner(b, signType), []byte(object)
				b.ReportAllocs()
				for range b.N {
					if _, err := s.Sign(raw); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for name, members := range map[string]string{"paySync": good, "16members": sixteenMembers[1 : len(sixteenMembers)-1],
		"nested": nestedList[1 : len(nestedList)-1]} {
		for _, signType := range []daxpay.SignType{daxpay.HMACSHA256, daxpay.MD5} {
			b.Run(name+"/"+string(signType), func(b *testing.B) {
				s, raw := benchSigner(b, signType), []byte(signedObject(b, signType, members))
				b.ReportAllocs()
				for range b.N {
					if err := s.Verify(raw); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkSyncPay is a whole call over a kept connection, including the server's part.
func BenchmarkSyncPay(b *testing.B) {
	answer := []byte(sealed(b, good))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }))
	defer server.Close()
	kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret, Now: at(now)})
	require.NoError(b, err)
	p := &param.PaySyncParam{BizOrderNo: "SDK_1715341621498"}
	run := func(b *testing.B) {
		if _, err := kit.SyncPay(context.Background(), p); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			run(b)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				run(b)
			}
		})
	})
}

// BenchmarkSyncPayWithoutNetwork is the part of a call that this package and resty do.
func BenchmarkSyncPayWithoutNetwork(b *testing.B) {
	kit, _ := mocked(b, daxpay.Config{Now: at(now)}, jsonAnswer(sealed(b, good)))
	p := &param.PaySyncParam{BizOrderNo: "SDK_1715341621498"}
	b.ReportAllocs()
	for range b.N {
		if _, err := kit.SyncPay(context.Background(), p); err != nil {
			b.Fatal(err)
		}
	}
}
