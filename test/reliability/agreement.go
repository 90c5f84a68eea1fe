package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

const (
	randomObjects  = 200_000
	randomRequests = 20_000
)

// agreement compares the client's signatures with those of package peer, which shares no code with the client.
func agreement(t *trial) error {
	parts := 4 * runtime.GOMAXPROCS(0)
	objects, requests := randomObjects/t.thin, randomRequests/t.thin
	signed := make([]int, parts)
	err := each(parts, func(part int) error {
		random := rand.New(rand.NewPCG(t.seed, uint64(part))) //nolint:gosec // to be repeated with the seed
		for i := part; i < objects; i += parts {
			if err := agree(peer.Random(random), message.Secret); err != nil {
				return err
			}
			signed[part]++
		}
		return requestsAgree(random, requests/parts)
	})
	if err != nil {
		return err
	}
	total := 0
	for _, n := range signed {
		total += n
	}
	t.say("%d random objects and %d random requests, each signed by both ways", total, requests/parts*parts)
	lines, err := vectorsAgree(t.vectors)
	t.say("%d lines of vectors, 2 algorithms: 0 disagreements", lines)
	return err
}

// agree compares the canonical texts and the signatures of an object.
func agree(o peer.Object, secret string) error {
	body := peer.Encode(o)
	for _, signType := range algorithms {
		signer, err := daxpay.NewSigner(signType, secret)
		if err != nil {
			return err
		}
		text, err := signer.Canonical(body)
		if err != nil {
			return fmt.Errorf("the client does not sign %s: %w", body, err)
		}
		if want := peer.Canonical(o, message.Zone); text != want {
			return fmt.Errorf("the client signs %q, the peer %q for %s", text, want, body)
		}
		sign, err := signer.Sign(body)
		if err != nil {
			return fmt.Errorf("the client does not sign %s: %w", body, err)
		}
		if want := peer.Sign(o, string(signType), secret, message.Zone); sign != want {
			return fmt.Errorf("%s: the client's signature is %s, the peer's %s for %s", signType, sign, want, body)
		}
		if hasSign(o) {
			continue // Verify refuses a second one
		}
		sealed := peer.Encode(append(o[:len(o):len(o)], peer.Pair{Name: "sign", Value: sign}))
		if err := signer.Verify(sealed); err != nil {
			return fmt.Errorf("%s: the client does not verify what it signed: %w: %s", signType, err, sealed)
		}
	}
	return nil
}

func hasSign(o peer.Object) bool {
	for _, p := range o {
		for _, name := range append(recased("sign"), "sign") {
			if p.Name == name {
				return true
			}
		}
	}
	return false
}

// requestsAgree makes the client send random params, and compares their signatures with the peer's.
func requestsAgree(random *rand.Rand, count int) error {
	for _, signType := range algorithms {
		var sent []byte
		r, err := message.NewReceiver(signType, func(c *daxpay.Config) { c.AllowAmbiguousText = true })
		if err != nil {
			return err
		}
		r.OnRequest = func(body []byte) { sent = body }
		for range count / len(algorithms) {
			sent = nil
			_, err := r.Client.Pay(context.Background(), randomPay(random))
			if sent == nil {
				return errors.Join(errors.New("nothing was sent"), err)
			}
			object, err := peer.Parse(sent)
			if err != nil {
				return err
			}
			if want := peer.Sign(object, string(signType), message.Secret, message.Zone); object.Get("sign") != want {
				return fmt.Errorf("%s: the client sent the signature %v, the peer's is %s: %s", signType, object.Get("sign"), want,
					sent)
			}
		}
	}
	return nil
}

func randomPay(random *rand.Rand) *param.PayParam {
	// NUL is refused before anything is sent.
	text := func() string {
		return string(bytes.ReplaceAll([]byte(peer.RandomText(random, 20)), []byte{0}, []byte("0")))
	}
	p := &param.PayParam{
		BizOrderNo: fmt.Sprint("B", random.Int64()), Title: "t" + text(), Description: text(), Attach: text(),
		Allocation: random.IntN(2) == 0, Channel: model.ChannelAli, Method: model.MethodQRCode,
		Amount: random.Int64N(1e9) + 1,
	}
	if random.IntN(2) == 0 {
		p.ExpiredTime = time.Unix(1715500234+random.Int64N(1e6), 0)
	}
	extra := peer.Encode(sendable(peer.Random(random)))
	if !bytes.Contains(extra, []byte(`\u0000`)) {
		p.ExtraParam = param.ExtraJSON(extra)
	}
	return p
}

// sendable returns a value that the client does not refuse to send: with plain names and without nulls in lists.
func sendable(value any) any {
	switch value := value.(type) {
	case peer.Object:
		o := peer.Object{}
		for i, p := range value {
			name := string(rune('z'-i)) + "_" // not in the order of signing
			if i%2 == 1 {
				name = strings.ToUpper(name)
			}
			o = append(o, peer.Pair{Name: name, Value: sendable(p.Value)})
		}
		return o
	case []any:
		list := []any{}
		for _, item := range value {
			if item != nil {
				list = append(list, sendable(item))
			}
		}
		return list
	}
	return value
}

// vectorsAgree compares the client and the peer with what gateways signed.
func vectorsAgree(dir string) (int, error) {
	count := 0
	for _, file := range []string{"seed-pages.jsonl", "captured.jsonl", "requests.jsonl", "responses.jsonl",
		"notices.jsonl"} {
		content, err := os.ReadFile(filepath.Join(dir, file)) //nolint:gosec // named by the user of the command
		if err != nil {
			return count, err
		}
		lines := bufio.NewReader(bytes.NewReader(content))
		for {
			line, err := lines.ReadBytes('\n')
			if len(bytes.TrimSpace(line)) > 0 {
				if err := vectorAgrees(file, line); err != nil {
					return count, fmt.Errorf("%s: %w", file, err)
				}
				count++
			}
			if err == io.EOF {
				break
			}
		}
	}
	return count, nil
}

func vectorAgrees(file string, line []byte) error {
	var v struct {
		Kind, Secret, Body, Canonical, MD5, HMACSHA256 string
		SignType                                       daxpay.SignType
		Verifies                                       *bool
	}
	if err := json.Unmarshal(line, &v); err != nil {
		return err
	}
	o, err := peer.Parse([]byte(v.Body))
	if err != nil {
		return err
	}
	if v.Kind == "response" || file == "responses.jsonl" {
		o, _ = o.Get("data").(peer.Object)
	}
	if err := agree(o, v.Secret); err != nil {
		return err
	}
	if v.Canonical != "" {
		for signType, want := range map[daxpay.SignType]string{daxpay.HMACSHA256: v.HMACSHA256, daxpay.MD5: v.MD5} {
			if got := peer.Sign(o, string(signType), v.Secret, message.Zone); got != want {
				return fmt.Errorf("%s: the signature is %s, the gateway's %s: %s", signType, got, want, v.Body)
			}
		}
	}
	if file == "requests.jsonl" {
		return nil // requests in this file have no signature
	}
	genuine := v.Verifies == nil || *v.Verifies
	signer, err := daxpay.NewSigner(v.SignType, v.Secret)
	if err != nil {
		return err
	}
	switch err := signer.Verify(peer.Encode(o)); {
	case genuine && err != nil:
		return fmt.Errorf("what a gateway signed does not verify: %w: %s", err, v.Body)
	case !genuine && !errors.Is(err, daxpay.ErrSignMismatch):
		return fmt.Errorf("what was edited after it was signed verifies: %s", v.Body)
	}
	return nil
}
