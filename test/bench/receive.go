package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stripe/stripe-go/v82"
	"github.com/stripe/stripe-go/v82/webhook"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/model"
)

// verifying is how fast signatures are checked.
func verifying(m *meter) []row {
	var rows []row
	signer, limit := newSigner(daxpay.HMACSHA256), pooledHMAC()
	for _, c := range []struct {
		name, message string
		target        target
	}{
		{"pay sync data", paySyncData, 3.0},
		{"32 members", members(32), 4.4},
	} {
		object := signed(signer, c.message)
		f := m.measure("Verify/"+c.name,
			once("Verify", func() error { return signer.Verify(object) }),
			limit.over("pooled HMAC", signedText(signer, object)),
			once("naive", func() error { return naiveVerify(object) }),
		)
		rows = append(rows,
			compared("verify, "+c.name, f[0], f[1], c.target),
			allocated("verify, "+c.name, f[0], target(0)),
			compared("naive: map[string]any → sort → hmac.New, "+c.name, f[2], f[0], noTarget),
		)
	}
	return rows
}

// opening is what the client does with an answer: everything from the bytes of the whole answer to the model.
func opening(m *meter) []row {
	signer := newSigner(daxpay.HMACSHA256)
	data := signed(signer, paySyncData)
	body := answer(data)
	f := m.measure("Open",
		opener(body),
		pooledHMAC().over("pooled HMAC", signedText(signer, data)),
		once("json.Unmarshal", func() error {
			var a struct {
				Code    int
				Msg     string
				TraceID string
				Data    model.PaySyncModel
			}
			return json.Unmarshal(body, &a)
		}),
	)
	return []row{
		compared("envelope + verify + decode", f[0], f[1], target(6.9)),
		allocated("envelope + verify + decode", f[0], target(3)),
		compared("envelope + verify + decode", f[0], f[2], noTarget),
	}
}

// opener does what Client does with the body of an answer, in the same steps.
func opener(body []byte) subject {
	p := fourMembersParam()
	asked := reflect.ValueOf(p).Elem()
	request, plan := must(wire.PlanOf(asked.Type())), must(wire.PlanOf(reflect.TypeFor[model.PaySyncModel]()))
	keys := []*wire.Key{wire.NewKey(wire.HMACSHA256, secret)}
	var envelope, inner wire.Object
	return once("open", func() error {
		if err := envelope.ReadWith(body, &inner, "data"); err != nil {
			return err
		}
		traceID, _ := envelope.Get("traceId")
		if trace := string(traceID.Text()); trace == "" {
			return errors.New("no trace id")
		}
		code, _ := envelope.Get("code")
		if n, err := code.Int(); n != 0 || err != nil {
			return fmt.Errorf("code %d, %w", n, err)
		}
		if verdict, _, err := wire.Verify(keys, &inner, time.UTC); verdict != wire.Genuine {
			return fmt.Errorf("verdict %d, %w", verdict, err)
		}
		if name, ok := request.Echo(asked, &inner); !ok {
			return errors.New(name)
		}
		if name := request.Foreign(plan, &inner); name != "" {
			return errors.New(name)
		}
		if err := plan.Screen(&inner, wire.Screening{}); err != nil {
			return err
		}
		var res daxpay.Result[model.PaySyncModel]
		v := reflect.ValueOf(&res.Data).Elem()
		if err := plan.Decode(&inner, v, time.UTC); err != nil {
			return err
		}
		if len(plan.Missing(v)) > 0 || res.Data.Status != model.PaySyncSuccess {
			return errors.New("no status")
		}
		return nil
	})
}

// noticing is how fast a notice becomes a model, against what users of other webhooks get. Those sign the bytes as they
// are, so they need not read what they verify.
func noticing(m *meter) []row {
	signer := newSigner(daxpay.HMACSHA256)
	body := signed(signer, payNotice)
	kit := must(daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1", SignSecret: secret}))
	n := must(kit.ParseNotice(body))
	strings := 0
	for v, i := reflect.ValueOf(n).Elem(), 0; i < v.NumField(); i++ {
		if f := v.Field(i); f.Kind() == reflect.String && f.Len() > 0 {
			strings++
		}
	}
	f := m.measure("Notice",
		once("ParseNotice", func() error { _, err := kit.ParseNotice(body); return err }),
		pooledHMAC().over("pooled HMAC", signedText(signer, body)),
		standardWebhook(body), stripeWebhook(body), stripeWebhookDecoded(body),
	)
	beyond := f[0]
	beyond.allocs -= float64(strings)
	return []row{
		compared("notice: parse + verify + decode", f[0], f[1], target(7.9)),
		allocated(fmt.Sprintf("notice, beyond the %d strings of the model", strings), beyond, target(4)),
		compared("notice", f[0], f[2], noTarget),
		compared("notice", f[0], f[3], noTarget),
		compared("notice", f[0], f[4], noTarget),
	}
}

// standardWebhook verifies and decodes the same members, signed as by standard-webhooks.
func standardWebhook(body []byte) subject {
	now := time.Now()
	hook := must(standardwebhooks.NewWebhookRaw([]byte(secret)))
	header := http.Header{}
	header.Set(standardwebhooks.HeaderWebhookID, "msg_1")
	header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	header.Set(standardwebhooks.HeaderWebhookSignature, must(hook.Sign("msg_1", now, body)))
	return once("standard-webhooks + encoding/json", func() error {
		if err := hook.VerifyIgnoringTimestamp(body, header); err != nil {
			return err
		}
		var n model.PayNotice
		return json.Unmarshal(body, &n)
	})
}

// stripeWebhook only checks the signature of a body of the same length; stripeWebhookDecoded also reads Stripe's event.
func stripeWebhook(body []byte) subject {
	payload := stripeSigned(stripeEvent(body))
	return once("stripe-go ValidatePayload + encoding/json", func() error {
		if err := webhook.ValidatePayloadIgnoringTolerance(payload.Payload, payload.Header, secret); err != nil {
			return err
		}
		var n model.PayNotice
		return json.Unmarshal(body, &n)
	})
}

func stripeWebhookDecoded(body []byte) subject {
	payload := stripeSigned(stripeEvent(body))
	return once("stripe-go ConstructEvent", func() error {
		_, err := webhook.ConstructEventIgnoringTolerance(payload.Payload, payload.Header, secret)
		return err
	})
}

func stripeSigned(event []byte) *webhook.SignedPayload {
	return webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: event, Secret: secret})
}

// stripeEvent wraps the members of a notice in an event that ConstructEvent accepts.
func stripeEvent(body []byte) []byte {
	return fmt.Appendf(nil, `{"id":"evt_1","object":"event","api_version":%q,"type":"payment_intent.succeeded","data":{"object":%s}}`, stripe.APIVersion, body)
}

// large measures how fast a message of a megabyte is verified, and how much memory that takes.
func large(m *meter) []row {
	const mega = 1 << 20
	signer := newSigner(daxpay.HMACSHA256)
	text := func(piece string) string {
		return `{"sign":"%s","attach":"` + strings.Repeat(piece, mega/len(piece)) + `"}`
	}
	list := func(size int) string {
		const object = `{"receiverNo":"1234567890","channel":"ali_pay","amount":6000,"receiverName":null}`
		return `{"sign":"%s","details":[` + strings.Repeat(object+",", size/len(object)) + object + "]}"
	}
	verify := func(object []byte) subject {
		return once("Verify", func() error { return signer.Verify(object) })
	}
	sum := func(object []byte) subject {
		h := pooledHMAC()
		return h.over("SHA-256", signedText(signer, object))
	}
	valid := func(object []byte) subject {
		return once("json.Valid", func() error {
			if !json.Valid(object) {
				return errors.New("not JSON")
			}
			return nil
		})
	}
	ascii, chinese, objects := signed(signer, text("0123456789abcdef")), signed(signer, text("这是支付备注")),
		signed(signer, list(mega))
	m = m.longer(4)
	f := m.measure("Large/string", verify(ascii), sum(ascii))
	c := m.measure("Large/chinese", verify(chinese), sum(chinese))
	o := m.measure("Large/objects", verify(objects), valid(objects), sum(objects))
	small := m.measure("Large/small objects", verify(signed(signer, list(mega/16))))
	return []row{
		compared("verify 1 MB, one long string", f[0], f[1], target(1.6)),
		compared("verify 1 MB, one long Chinese string", c[0], c[1], noTarget),
		compared("verify 1 MB, list of objects", o[0], o[1], noTarget),
		{
			work: "verify 1 MB: bytes allocated beyond those for 64 KB", value: exactly(max(0, o[0].bytes-small[0].bytes)),
			target: target(1024), format: "%.0f",
			detail: fmt.Sprintf("%.0f bytes for the list of objects, %.0f for the string", o[0].bytes, f[0].bytes),
		},
		compared("verify 1 MB, list of objects", o[0], o[2], target(9)),
	}
}

// slopes measures what one more member costs, with few members and with many.
func slopes(m *meter) []row {
	signer := newSigner(daxpay.HMACSHA256)
	counts := []int{4, 32, 128, 256}
	var subjects []subject
	for _, n := range counts {
		object := signed(signer, members(n))
		subjects = append(subjects, once(fmt.Sprintf("%d members", n), func() error { return signer.Verify(object) }))
	}
	f := m.measure("Slope", subjects...)
	ratios := make([]float64, m.rounds)
	slope := func(round, from, to int) float64 {
		return (f[to].ns[round] - f[from].ns[round]) / float64(counts[to]-counts[from])
	}
	for i := range ratios {
		ratios[i] = slope(i, 2, 3) / slope(i, 0, 1)
	}
	return []row{{
		work: "cost of one more member, 128 to 256 ÷ 4 to 32", value: spreadOf(ratios), target: target(1.1),
		detail: fmt.Sprintf("%s for 4, %s for 32, %s for 128, %s for 256", duration(f[0].median()), duration(f[1].median()),
			duration(f[2].median()), duration(f[3].median())),
	}}
}
