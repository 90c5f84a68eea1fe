package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/contrib/redisstore"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
)

func post(ctx context.Context, h http.Handler, body []byte) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(body)))
	return w.Body.String()
}

// hostileBodies posts unsigned bodies to a notice URL, made to cost as much as possible. BenchmarkHostile of
// internal/wire also signs and screens each of them.
func hostileBodies(ctx context.Context, r *report) error {
	gw := daxpaytest.New()
	defer gw.Close()
	h := gw.Client().NoticeHandler(daxpay.NoticeHandlers{OnError: func(context.Context, error) {}})
	const size, times = 127 << 10, 50
	worst, ratio, name := time.Duration(0), 0.0, ""
	for _, hostile := range peer.Hostile(size) {
		// The least of many measurements, in turns: other programs also use the machine.
		ours, theirs := time.Hour, time.Hour
		for range times {
			start := time.Now()
			if post(ctx, h, hostile.Text) != "FAIL" {
				return fmt.Errorf("%s: was received", hostile.Name)
			}
			middle := time.Now()
			if !json.Valid(hostile.Text) {
				return fmt.Errorf("%s: is no JSON", hostile.Name)
			}
			ours, theirs = min(ours, middle.Sub(start)), min(theirs, time.Since(middle))
		}
		if r := float64(ours) / float64(theirs); r > ratio {
			worst, ratio, name = ours, r, hostile.Name
		}
	}
	if ratio > 10 {
		return fmt.Errorf("%s costs %.1f × json.Valid", name, ratio)
	}
	r.add(fmt.Sprintf("the worst of %d unsigned bodies of 127 KiB, %s", len(peer.Hostile(1)), name),
		"%v, %.1f × json.Valid", worst.Round(10*time.Microsecond), ratio)
	return nil
}

// hanging accepts connections and never answers.
func hanging(ctx context.Context) (address string, stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	ended := make(chan []net.Conn)
	go func() {
		var conns []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- conns
				return
			}
			conns = append(conns, c)
		}
	}()
	return l.Addr().String(), func() {
		_ = l.Close()
		for _, c := range <-ended {
			_ = c.Close()
		}
	}, nil
}

// stalledRedis delivers a notice while Redis does not answer, with each kind of client in its default configuration.
func stalledRedis(ctx context.Context, r *report) error {
	address, stop, err := hanging(ctx)
	if err != nil {
		return err
	}
	defer stop()
	clients := map[string]redis.UniversalClient{
		"client":  redis.NewClient(&redis.Options{Addr: address}),
		"ring":    redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": address}}),
		"cluster": redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{address}}),
	}
	gw := daxpaytest.New()
	defer gw.Close()
	gw.SetPayment(daxpaytest.Payment{OrderNo: "P1", Amount: 1, Status: model.PaySyncSuccess})
	body, err := gw.Notice("P1")
	if err != nil {
		return err
	}
	for name, client := range clients {
		store, err := redisstore.New(client, redisstore.Options{})
		if err != nil {
			return err
		}
		h := gw.Client().NoticeHandler(daxpay.NoticeHandlers{
			Store: store, Pay: func(context.Context, *model.PayNotice) error { return nil },
			OnError: func(context.Context, error) {},
		})
		start := time.Now()
		reply := post(ctx, h, body)
		took := time.Since(start)
		r.add("go-redis' "+name+" at a Redis that does not answer", "%s after %v", reply, took.Round(10*time.Millisecond))
		if err := client.Close(); err != nil {
			return err
		}
		if reply != "FAIL" || took > 5*time.Second {
			return fmt.Errorf("%s: %s after %v", name, reply, took)
		}
	}
	return nil
}
