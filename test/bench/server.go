package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
)

// The server runs in a process of its own, so it does not count in the clients' processor time, allocations and memory.

const serverFlag = "-serve"

// Paths of the server, in addition to those of the gateway and the peers.
const (
	holdPath    = "/hold"    // in front of the gateway's paths: answers after a request to letGoPath
	allHeldPath = "/allheld" // answers when as many requests are held as there are flights
	letGoPath   = "/letgo"   // answers all held requests, and returns how many there were
	countPath   = "/count"   // how many connections were opened so far, and the most requests at once
)

// The answers to the peers are about as long as the gateway's, and have the members that their models need.
const (
	stripeAnswer   = `{"id":"pi_1","object":"payment_intent","amount":100,"currency":"cny","status":"succeeded","created":1715500234,"description":"SDK_1715341621498"}`
	razorpayAnswer = `{"id":"pay_1","entity":"payment","amount":100,"currency":"INR","status":"captured","created_at":1715500234,"description":"SDK_1715341621498"}`
	paypalAnswer   = `{"id":"1","status":"COMPLETED","intent":"CAPTURE","create_time":"2024-05-12T07:50:34Z","purchase_units":[{"reference_id":"SDK_1715341621498"}]}`
)

// peerAnswers returns the answers to the peers by path.
func peerAnswers() map[string]string {
	return map[string]string{
		"/v1/payment_intents": stripeAnswer, "/v1/payment_intents/": stripeAnswer,
		"/v1/orders": razorpayAnswer, "/v1/payments/": razorpayAnswer,
		"/v2/checkout/orders": paypalAnswer, "/v2/checkout/orders/": paypalAnswer,
	}
}

// serve runs the server process.
func serve() {
	answer := answer(signed(newSigner(daxpay.HMACSHA256), paySyncData))
	var opened, now, most atomic.Int64
	held, allHeld := make(chan struct{}), make(chan struct{}, 1)
	var holding atomic.Int64
	reply := func(body []byte, before func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			raise(&most, now.Add(1))
			_, _ = io.Copy(io.Discard, r.Body)
			before()
			now.Add(-1)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body)
		}
	}
	atOnce := func() {}
	mux := http.NewServeMux()
	mux.Handle("/unipay/", reply(answer, atOnce))
	mux.Handle(holdPath+"/", reply(answer, func() {
		if holding.Add(1) == flights {
			allHeld <- struct{}{}
		}
		<-held
		holding.Add(-1)
	}))
	mux.HandleFunc(allHeldPath, func(http.ResponseWriter, *http.Request) { <-allHeld })
	mux.HandleFunc(letGoPath, func(w http.ResponseWriter, _ *http.Request) {
		n := holding.Load()
		for range n {
			held <- struct{}{}
		}
		_, _ = fmt.Fprint(w, n)
	})
	mux.HandleFunc(countPath, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, opened.Load(), most.Load())
	})
	for path, body := range peerAnswers() {
		mux.Handle(path, reply([]byte(body), atOnce))
	}
	l := must(new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0"))
	fmt.Println(l.Addr())
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: time.Minute,
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				opened.Add(1)
			}
		},
	}
	go func() { // end with the process that started this one
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	panic(server.Serve(l))
}

// raise raises most to n if n is greater.
func raise(most *atomic.Int64, n int64) {
	for old := most.Load(); n > old; old = most.Load() {
		if most.CompareAndSwap(old, n) {
			return
		}
	}
}

// startServer starts this program again as the server. It returns the server's URL, and a function that ends it.
func startServer() (url string, stop func()) {
	cmd := exec.CommandContext(context.Background(), must(os.Executable()), serverFlag) //nolint:gosec // this program
	cmd.Stderr = os.Stderr
	in, out := must(cmd.StdinPipe()), must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	address := bufio.NewScanner(out)
	if !address.Scan() {
		panic("the server does not start")
	}
	return "http://" + address.Text(), func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
}

// get asks the server for numbers.
func get(url string) []int64 {
	res, err := http.DefaultClient.Do(must(http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)))
	if err != nil {
		panic(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	var numbers []int64
	words := bufio.NewScanner(res.Body)
	words.Split(bufio.ScanWords)
	for words.Scan() {
		numbers = append(numbers, must(strconv.ParseInt(words.Text(), 10, 64)))
	}
	return numbers
}
