package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
)

const secret = "123456"

// moment is when the answers and notices here were made; the clients' clocks stand still there.
var moment = time.Unix(1715500234, 0)

// The requests of the table. Their members stand in the order in which the client sends them, which is also the order
// in which they are signed.
const (
	fourMembers    = `{"bizOrderNo":"SDK_1715341621498","clientIp":"127.0.0.1","nonceStr":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","reqTime":1715500231}`
	sixteenMembers = `{"allocation":true,"amount":100,"attach":"{回调参数}","autoAllocation":true,"bizOrderNo":"SDK_1715341280312","channel":"ali_pay",` +
		`"clientIp":"127.0.0.1","description":"这是支付备注","expiredTime":1715500831,"method":"qrcode","nonceStr":"0f1e2d3c4b5a69788796a5b4c3d2e1f0",` +
		`"notifyUrl":"https://abc.com/callback","quitUrl":"https://abc.com/quit","reqTime":1715500231,"returnUrl":"https://abc.com/return","title":"测试接口支付"}`
	nestedList = `{"bizAllocNo":"A29729","receivers":[{"receiverNo":"123","amount":6000},{"receiverNo":"124","amount":7000}],"reqTime":1717261696}`
)

// What the gateway sends, in its order, which is not that of the signature.
const (
	paySyncData = `{"code":0,"msg":null,"resTime":1715500234,"sign":"%s","status":"pay_success"}`
	payNotice   = `{"code":0,"msg":null,"resTime":1715500234,"sign":"%s","orderNo":"DEVP24051216171463000001","bizOrderNo":"SDK_1715341621498",` +
		`"outOrderNo":"2024051222001463321430312645","title":"测试接口支付","description":"这是支付备注","allocation":false,"autoAllocation":false,` +
		`"channel":"ali_pay","method":"qrcode","amount":100,"status":"success","refundStatus":"no_refund","allocStatus":null,"payTime":1715500232,` +
		`"expiredTime":1715500831,"closeTime":null,"attach":"回调参数","errorCode":null,"errorMsg":null}`
)

// payOrderData is the data of the answer to a query.
const payOrderData = `{"code":0,"msg":null,"resTime":1715500234,"sign":"%s","bizOrderNo":"SDK_1715341621498",` +
	`"orderNo":"DEVP24051216171463000001","outOrderNo":"2024051222001463321430312645","title":"测试接口支付","description":null,` +
	`"allocation":false,"autoAllocation":null,"channel":"ali_pay","method":"qrcode","amount":100,"refundableBalance":100,` +
	`"status":"success","refundStatus":"no_refund","allocStatus":null,"payTime":1715500232,"expiredTime":1715500831,` +
	`"closeTime":null,"errorCode":null,"errorMsg":null}`

func newSigner(signType daxpay.SignType) *daxpay.Signer {
	return must(daxpay.NewSigner(signType, secret))
}

// signed puts the right signature where the message has %s.
func signed(s *daxpay.Signer, message string) []byte {
	sign := must(s.Sign([]byte(strings.Replace(message, `"%s"`, `""`, 1))))
	return []byte(strings.Replace(message, "%s", sign, 1))
}

// answer is a whole answer with the data.
func answer(data []byte) []byte {
	return fmt.Appendf(nil, `{"msg":"success","code":0,"data":%s,"traceId":"otTneUZX4KEK"}`, data)
}

// members is a message of n members and a signature.
func members(n int) string {
	var b strings.Builder
	b.WriteString(`{"sign":"%s"`)
	for i := range n {
		fmt.Fprintf(&b, `,"member%03d":"value of %03d"`, i, i)
	}
	b.WriteByte('}')
	return b.String()
}

// signedText is what is signed for a message, key included.
func signedText(s *daxpay.Signer, object []byte) []byte {
	return []byte(must(s.Canonical(object)) + "&key=" + secret)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
