package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/plutov/paypal/v4"
	razorpay "github.com/razorpay/razorpay-go"
	"github.com/stripe/stripe-go/v82"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
)

// calling measures what a whole call costs over the loopback interface, on connections that are kept.
func calling(m *meter) []row {
	url, stop := startServer()
	defer stop()
	starting, asking := peers(url)
	subjects := []subject{syncPay(newClient(url)), bareHTTP(url, newTransport()), bareResty(url, newTransport())}
	f := m.longer(8).measure("Call", slices.Concat(subjects, starting, asking)...)
	rows := slices.Concat(
		comparedCalls(f[0], f[1], target(1.40)),
		[]row{allocated("SyncPay", f[0], target(95)), allocated("bare net/http", f[1], noTarget)},
		comparedCalls(f[0], f[2], target(1.05)),
		[]row{allocated("bare resty", f[2], noTarget)},
	)
	for i, p := range f[3:] {
		t := target(1)
		if i >= len(starting) {
			t = noTarget
		}
		rows = append(rows, comparedCalls(f[0], p, t)...)
	}
	return rows
}

// comparedCalls compares the time that a caller waits, and the processor time of this process, which other processes on
// a busy machine affect less.
func comparedCalls(ours, other figures, t target) []row {
	return []row{
		compared("SyncPay", ours, other, t),
		{
			work: "SyncPay ÷ " + other.name + ", processor time", value: ratioOf(ours.cpu, other.cpu), target: t,
			detail: duration(median(ours.cpu)) + " ÷ " + duration(median(other.cpu)),
		},
	}
}

func newClient(url string) *daxpay.Client {
	return must(daxpay.New(daxpay.Config{ServiceURL: url, SignSecret: secret, Now: func() time.Time { return moment }}))
}

// newTransport returns a transport tuned like the client's. The default one would open a connection for nearly every
// call.
func newTransport() *http.Transport {
	return &http.Transport{MaxIdleConns: 1 << 20, MaxIdleConnsPerHost: 1 << 20, IdleConnTimeout: 90 * time.Second}
}

func syncPay(kit *daxpay.Client) subject {
	p := fourMembersParam()
	return once("SyncPay", func() error {
		res, err := kit.SyncPay(context.Background(), p)
		if err == nil && res.Data.Status != model.PaySyncSuccess {
			return errors.New("another status")
		}
		return err
	})
}

// bareAnswer is the answer as a program reads it that verifies nothing.
type bareAnswer struct {
	Code    int    `json:"code"`
	Msg     string `json:"msg"`
	TraceID string `json:"traceId"`
	Data    struct {
		Code   int    `json:"code"`
		Status string `json:"status"`
	} `json:"data"`
}

const syncPath = "/unipay/sync/pay"

// preparedBody returns a request that is signed in advance.
func preparedBody() []byte {
	return signed(newSigner(daxpay.HMACSHA256), fourMembers[:len(fourMembers)-1]+`,"sign":"%s"}`)
}

func (a *bareAnswer) check(err error) error {
	if err == nil && a.Data.Status != "pay_success" {
		return errors.New("another status")
	}
	return err
}

// bareHTTP posts a prepared body and decodes the answer. It signs and verifies nothing.
func bareHTTP(url string, transport http.RoundTripper) subject {
	body, client := preparedBody(), &http.Client{Transport: transport, Timeout: 30 * time.Second}
	return once("bare net/http", func() error { return postBare(client, url, body) })
}

func postBare(client *http.Client, url string, body []byte) error {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url+syncPath, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var a bareAnswer
	return a.check(json.Unmarshal(raw, &a))
}

// bareResty is bareHTTP with resty, with as few of its features as possible.
func bareResty(url string, transport http.RoundTripper) subject {
	body := preparedBody()
	client := resty.NewWithClient(&http.Client{Transport: transport, Timeout: 30 * time.Second}).
		SetBaseURL(url).SetHeader("Content-Type", "application/json")
	return once("bare resty", func() error {
		res, err := client.R().SetContext(context.Background()).SetBody(body).Post(syncPath)
		if err != nil {
			return err
		}
		var a bareAnswer
		return a.check(json.Unmarshal(res.Body(), &a))
	})
}

// peers returns calls of other SDKs. starting are calls that start a payment; they have a body, JSON or a form, as
// SyncPay has. asking are queries of a payment; they have no body, which makes them faster in net/http. None of these
// SDKs signs a request or verifies an answer.
func peers(url string) (starting, asking []subject) {
	s, r, p := newStripe(url), newRazorpay(url), newPaypal(url)
	ctx := context.Background()
	check := func(err error, status, want any) error {
		if err == nil && status != want {
			return fmt.Errorf("status %v", status)
		}
		return err
	}
	units := []paypal.PurchaseUnitRequest{{ReferenceID: "SDK_1715341621498",
		Amount: &paypal.PurchaseUnitAmount{Currency: "USD", Value: "1.00"}}}
	starting = []subject{
		once("stripe-go, create", func() error {
			i, err := s.V1PaymentIntents.Create(ctx,
				&stripe.PaymentIntentCreateParams{Amount: stripe.Int64(100), Currency: stripe.String("cny")})
			return check(err, i.Status, stripe.PaymentIntentStatusSucceeded)
		}),
		once("razorpay-go, create", func() error {
			o, err := r.Order.Create(map[string]any{"amount": 100, "currency": "INR", "receipt": "SDK_1715341621498"}, nil)
			return check(err, o["status"], "captured")
		}),
		once("plutov/paypal, create", func() error {
			o, err := p.CreateOrder(ctx, paypal.OrderIntentCapture, units, nil, nil)
			return check(err, o.Status, "COMPLETED")
		}),
	}
	asking = []subject{
		once("stripe-go, ask", func() error {
			i, err := s.V1PaymentIntents.Retrieve(ctx, "pi_1", nil)
			return check(err, i.Status, stripe.PaymentIntentStatusSucceeded)
		}),
		once("razorpay-go, ask", func() error {
			o, err := r.Payment.Fetch("pay_1", nil, nil)
			return check(err, o["status"], "captured")
		}),
		once("plutov/paypal, ask", func() error {
			o, err := p.GetOrder(ctx, "1")
			return check(err, o.Status, "COMPLETED")
		}),
	}
	return starting, asking
}

func newStripe(url string) *stripe.Client {
	config := &stripe.BackendConfig{
		URL: stripe.String(url), HTTPClient: &http.Client{Transport: newTransport()},
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull}, EnableTelemetry: stripe.Bool(false),
	}
	return stripe.NewClient("sk_test_1", stripe.WithBackends(stripe.NewBackendsWithConfig(config)))
}

func newRazorpay(url string) *razorpay.Client {
	client := razorpay.NewClient("key", secret)
	client.Payment.Request.BaseURL = url // all parts of the client share it
	client.Payment.Request.HTTPClient = &http.Client{Transport: newTransport()}
	return client
}

func newPaypal(url string) *paypal.Client {
	client := must(paypal.NewClient("id", secret, url))
	client.SetHTTPClient(&http.Client{Transport: newTransport()})
	client.SetAccessToken("token")
	return client
}
