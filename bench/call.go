package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/plutov/paypal/v4"
	razorpay "github.com/razorpay/razorpay-go"
	"github.com/stripe/stripe-go/v82"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
)

// calling is what a whole call costs over the loopback interface, on connections that are kept.
func calling(m *meter) []row {
	url, stop := startServer()
	defer stop()
	f := m.measure("Call",
		syncPay(newClient(url)), bareHTTP(url, newTransport()), bareResty(url, newTransport()),
		stripeCall(url), razorpayCall(url), paypalCall(url),
	)
	processor := func(f figures) string { return fmt.Sprintf("%s of processor time ", duration(median(f.cpu))) }
	peer := target{1, 1 / 1.5}
	rows := []row{
		compared("SyncPay", f[0], f[1], target{1.40, 1.30}),
		{work: "SyncPay ÷ bare net/http, processor time of the client", value: ratioOf(f[0].cpu, f[1].cpu), target: target{1.40, 1.30}, detail: processor(f[0]) + "÷ " + processor(f[1])},
		allocated("SyncPay", f[0], target{95, 88}),
		compared("SyncPay", f[0], f[2], target{1.05, 1.02}),
		{work: "SyncPay ÷ bare resty, processor time of the client", value: ratioOf(f[0].cpu, f[2].cpu), target: target{1.05, 1.02}, detail: processor(f[0]) + "÷ " + processor(f[2])},
		allocated("bare net/http", f[1], noTarget),
		allocated("bare resty", f[2], noTarget),
	}
	for _, p := range f[3:] {
		rows = append(rows,
			compared("SyncPay", f[0], p, peer),
			row{work: "SyncPay ÷ " + p.name + ", processor time of the client", value: ratioOf(f[0].cpu, p.cpu), target: peer, detail: processor(f[0]) + "÷ " + processor(p)},
			allocated(p.name, p, noTarget),
		)
	}
	return rows
}

func newClient(url string) *daxpay.Client {
	return must(daxpay.New(daxpay.Config{ServiceURL: url, SignSecret: secret, Now: func() time.Time { return moment }}))
}

// newTransport is tuned as the client's: the default one would open a connection for nearly every call.
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

// bareAnswer is what a program reads that verifies nothing.
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

// preparedBody is a signed request that was made before.
func preparedBody() []byte {
	return signed(newSigner(daxpay.HMACSHA256), fourMembers[:len(fourMembers)-1]+`,"sign":"%s"}`)
}

func (a *bareAnswer) check(err error) error {
	if err == nil && a.Data.Status != "pay_success" {
		return errors.New("another status")
	}
	return err
}

// bareHTTP posts a body that is ready and decodes the answer. It signs and verifies nothing.
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

// bareResty is bareHTTP by means of resty, with as little of it as one can use.
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

// The peers ask for a payment, as their users do. None of them signs a request or verifies an answer.

func stripeCall(url string) subject {
	config := &stripe.BackendConfig{
		URL: stripe.String(url), HTTPClient: &http.Client{Transport: newTransport()},
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull}, EnableTelemetry: stripe.Bool(false),
	}
	client := stripe.NewClient("sk_test_1", stripe.WithBackends(stripe.NewBackendsWithConfig(config)))
	return once("stripe-go", func() error {
		p, err := client.V1PaymentIntents.Retrieve(context.Background(), "pi_1", nil)
		if err == nil && p.Status != stripe.PaymentIntentStatusSucceeded {
			return errors.New("another status")
		}
		return err
	})
}

func razorpayCall(url string) subject {
	client := razorpay.NewClient("key", secret)
	client.Payment.Request.BaseURL = url
	client.Payment.Request.HTTPClient = &http.Client{Transport: newTransport()}
	return once("razorpay-go", func() error {
		p, err := client.Payment.Fetch("pay_1", nil, nil)
		if err == nil && p["status"] != "captured" {
			return errors.New("another status")
		}
		return err
	})
}

func paypalCall(url string) subject {
	client := must(paypal.NewClient("id", secret, url))
	client.SetHTTPClient(&http.Client{Transport: newTransport()})
	client.SetAccessToken("token")
	return once("plutov/paypal", func() error {
		o, err := client.GetOrder(context.Background(), "1")
		if err == nil && o.Status != "COMPLETED" {
			return errors.New("another status")
		}
		return err
	})
}
