package main

import (
	"fmt"
	"strings"

	"github.com/daxpay-go/daxpay"
)

// A shop's messages differ in their values and in their kind.

const refundNotice = `{"code":0,"msg":null,"resTime":%d,"sign":"%%s","orderNo":"DEVP%017d","bizOrderNo":"SDK_%d",` +
	`"outOrderNo":"2024051222001463321430%06d","title":"测试接口支付","refundNo":"DEVR%017d","bizRefundNo":"R_%d",` +
	`"outRefundNo":null,"channel":"ali_pay","orderAmount":%d,"amount":%d,"reason":"退款","refundTime":null,"finishTime":%d,` +
	`"status":"success","attach":null,"errorCode":null,"errorMsg":null}`

const (
	inTurn = 512 // how many messages are read in turn
)

// mixing measures how fast notices of several kinds are read, and answers to several calls are verified.
func mixing(m *meter) []row {
	signer := newSigner(daxpay.HMACSHA256)
	var pays, both, answers [][]byte
	for i := range inTurn {
		pay := signed(signer, otherValues(payNotice, i))
		numbers := []any{1715500234 + i, i, 1715341621498 + i, i, i, i, 100 + i, 1 + i, 1715500232 + i}
		refund := signed(signer, fmt.Sprintf(refundNotice, numbers...))
		pays, both = append(pays, pay), append(both, pay)
		answers = append(answers, signed(signer, otherValues(paySyncData, i)))
		if i%2 == 1 {
			both[i] = refund
			answers[i] = signed(signer, otherValues(payOrderData, i))
		}
	}
	kit := newClient("http://127.0.0.1")
	parse := func(bodies [][]byte) subject {
		i := 0
		return once("ParseNotice", func() error {
			i++
			_, err := kit.ParseNotice(bodies[i%inTurn])
			return err
		})
	}
	verify := func(objects [][]byte) subject {
		i := 0
		return once("Verify", func() error { i++; return signer.Verify(objects[i%inTurn]) })
	}
	f := m.measure("Mixed",
		parse(pays), hashing(signer, pays), parse(both), hashing(signer, both), verify(answers), hashing(signer, answers),
	)
	return []row{
		compared("notices of other values", f[0], f[1], target(10)),
		compared("notices of payments and refunds in turn", f[2], f[3], target(10)),
		compared("verify, data of two calls in turn", f[4], f[5], noTarget),
	}
}

// otherValues returns a message with other numbers, a text of another length, and another second.
func otherValues(message string, i int) string {
	return strings.NewReplacer(
		"1715500234", fmt.Sprint(1715500234+i), "DEVP24051216171463000001", fmt.Sprintf("DEVP240512161714%08d", i),
		"SDK_1715341621498", fmt.Sprintf("SDK_%d", 1715341621498-i*i), "测试接口支付", strings.Repeat("测试", i%5+1),
		`"amount":100`, fmt.Sprintf(`"amount":%d`, i+1),
		`"closeTime":null`, `"closeTime":`+[]string{"null", "1715500999"}[i%2],
	).Replace(message)
}

// hashing hashes the signed texts of the messages in turn.
func hashing(signer *daxpay.Signer, messages [][]byte) subject {
	texts := make([][]byte, len(messages))
	for i := range messages {
		texts[i] = signedText(signer, messages[i])
	}
	limit, i := pooledHMAC(), 0
	var digest [32]byte
	return once("pooled HMAC", func() error {
		i++
		limit.sum(digest[:0], texts[i%inTurn])
		return nil
	})
}
