package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/param"
)

// patience is how long the client waits for the beginning of an answer.
const patience = 2 * time.Second

// fault is what happens to a call: what the gateway's side does instead of answering, and the error that it causes.
type fault struct {
	name string
	// share is how many of a thousand calls it hits.
	share int
	// once: it hits only the first attempt.
	once bool
	// strike writes what the client gets; answer is the right answer.
	strike func(w http.ResponseWriter, r *http.Request, answer []byte)
	// explains reports whether the fault can cause an error; nil if it must cause none.
	explains func(error) bool
	// retried: the client sends a repeatable call again.
	retried bool
}

// faults are all faults. The first has the rest of the thousand.
var faults = []fault{
	{name: "none", strike: write},
	{name: "slow", share: 20, strike: slow},
	{name: "hang-up", share: 20, strike: hangUp, explains: lost, retried: true},
	{name: "hang-up, once", share: 20, once: true, strike: hangUp, explains: lost, retried: true},
	{name: "half an answer", share: 10, strike: half, explains: lost, retried: true},
	{name: "half an answer, once", share: 10, once: true, strike: half, explains: lost, retried: true},
	{name: "silence", share: 1, strike: silence, explains: lost, retried: true},
	{name: "silence, once", share: 1, once: true, strike: silence, explains: lost, retried: true},
	{name: "502", share: 20, strike: page(http.StatusBadGateway), explains: status(http.StatusBadGateway), retried: true},
	{name: "502, once", share: 20, once: true, strike: page(http.StatusBadGateway),
		explains: status(http.StatusBadGateway), retried: true},
	{name: "404", share: 10, strike: page(http.StatusNotFound), explains: status(http.StatusNotFound)},
	{name: "redirect", share: 5, strike: redirect, explains: status(http.StatusFound)},
	{name: "garbage", share: 15, strike: garbage, explains: status(http.StatusOK)},
	{name: "deep", share: 10, strike: deep, explains: status(http.StatusOK)},
	{name: "forged", share: 15, strike: forged, explains: is(daxpay.ErrSignMismatch)},
	{name: "huge", share: 5, strike: huge, explains: is(daxpay.ErrTooLarge)},
	{name: "huge, announced", share: 10, strike: announced, explains: is(daxpay.ErrTooLarge)},
	{name: "huge header", share: 5, strike: hugeHeader, explains: lost, retried: true},
}

// choose picks a fault by the shares.
func choose(random *rand.Rand) int {
	at := random.IntN(1000)
	for i := range faults {
		if at -= faults[i].share; at < 0 {
			return i
		}
	}
	return 0
}

// fails reports whether a call with that effect must return an error.
func (f *fault) fails(effect param.Effect) bool {
	overcome := f.once && f.retried && effect.Repeatable()
	return f.explains != nil && !overcome
}

// check returns what is wrong with a call's error, nil if the fault must cause it.
func (f *fault) check(effect param.Effect, err error) error {
	if !f.fails(effect) {
		return err
	}
	switch {
	case err == nil:
		return errors.New("there is no error")
	case !f.explains(err):
		return fmt.Errorf("another error: %w", err)
	case errors.Is(err, daxpay.ErrOutcomeUnknown) != (effect != param.EffectReadOnly):
		return fmt.Errorf("wrong about the outcome: %w", err)
	}
	attempts, want := 1, 1
	if f.retried && effect.Repeatable() {
		want = 3
	}
	var retried *daxpay.RetryError
	if errors.As(err, &retried) {
		attempts = len(retried.Errs)
	}
	if attempts != want {
		return fmt.Errorf("%d attempts, not %d: %w", attempts, want, err)
	}
	return nil
}

func lost(err error) bool {
	var transport *daxpay.TransportError
	return errors.As(err, &transport) && !transport.NeverSent
}

func status(code int) func(error) bool {
	return func(err error) bool {
		var page *daxpay.HTTPError
		return errors.As(err, &page) && page.StatusCode == code
	}
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func write(w http.ResponseWriter, _ *http.Request, answer []byte) {
	_, _ = w.Write(answer)
}

func slow(w http.ResponseWriter, r *http.Request, answer []byte) {
	select {
	case <-time.After(rand.N(patience / 10)): //nolint:gosec // nothing secret
		write(w, r, answer)
	case <-r.Context().Done():
	}
}

func hangUp(http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) }

func half(w http.ResponseWriter, _ *http.Request, answer []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer[:len(answer)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func silence(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() }

func page(code int) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "<html><body>"+strings.Repeat("something went wrong ", 100)+"</body></html>")
	}
}

func redirect(w http.ResponseWriter, r *http.Request, _ []byte) {
	w.Header().Set("Location", r.URL.Path+"/moved")
	w.WriteHeader(http.StatusFound)
}

func garbage(w http.ResponseWriter, _ *http.Request, _ []byte) {
	noise := make([]byte, 8<<10)
	for i := range noise {
		noise[i] = byte(rand.Uint32()) //nolint:gosec // noise
	}
	_, _ = w.Write(noise)
}

func deep(w http.ResponseWriter, _ *http.Request, _ []byte) {
	_, _ = io.WriteString(w, `{"code":0,"data":`+strings.Repeat(`{"a":`, 50_000))
}

// forged writes the answer with another signature, or a forged success if the answer has no signature.
func forged(w http.ResponseWriter, _ *http.Request, answer []byte) {
	mark := []byte(`"sign":"`)
	if !bytes.Contains(answer, mark) {
		answer = []byte(`{"code":0,"data":{"code":0,"resTime":1715500234,"sign":"` + strings.Repeat("0", 64) + `"}}`)
	}
	answer[bytes.LastIndex(answer, mark)+len(mark)] ^= 'a' ^ 'b'
	_, _ = w.Write(answer)
}

func huge(w http.ResponseWriter, _ *http.Request, _ []byte) {
	noise := bytes.Repeat([]byte(`{"code":0}`), 6<<10)
	for range 100 {
		if _, err := w.Write(noise); err != nil {
			return
		}
	}
}

func announced(w http.ResponseWriter, _ *http.Request, answer []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(1<<30))
	_, _ = w.Write(answer)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func hugeHeader(w http.ResponseWriter, _ *http.Request, answer []byte) {
	for i := range 32 {
		w.Header().Set("X-Huge-"+strconv.Itoa(i), strings.Repeat("x", 4<<10))
	}
	_, _ = w.Write(answer)
}

// tag returns the clientIp of a call, which tells the gateway's side its fault: an address of fd00::/8 whose second
// byte is the fault, and whose last eight bytes are the call's number.
func tag(fault int, call uint64) string {
	a := [16]byte{0xfd, byte(fault)} //nolint:gosec // there are few
	binary.BigEndian.PutUint64(a[8:], call)
	return netip.AddrFrom16(a).String()
}

func untag(clientIP string) (fault int, call uint64) {
	address, err := netip.ParseAddr(clientIP)
	if err != nil {
		return 0, 0
	}
	a := address.As16()
	return int(a[1]) % len(faults), binary.BigEndian.Uint64(a[8:])
}

// textOf returns the text n of a call (see calltable.Call) by its number.
func textOf(call uint64) string { return "S" + strconv.FormatUint(call, 10) }
