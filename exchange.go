package daxpay

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/param"
)

// seal encodes and signs the request. Each attempt has a time and a nonce of its own, because the gateway refuses
// requests older than ten seconds.
func (c *core) seal(call *call, version gateway.Version) ([]byte, error) {
	return c.sealWith(c.signer.keys.signing(), call, version)
}

func (c *core) sealWith(key *wire.Key, call *call, version gateway.Version) ([]byte, error) {
	s := c.borrow()
	defer c.giveBack(s)
	nonce := ""
	if version.KnowsNonce() {
		var err error
		if nonce, err = newNonce(); err != nil {
			return nil, err
		}
	}
	if _, err := s.encoder.Encode(call.plan.Layout(call.path, version), call.request, c.stamp(nonce)); err != nil {
		return nil, &ParamError{Param: call.request.Type().String(), Field: "a member",
			Reason: "cannot be written: " + err.Error()}
	}
	// The body is not pooled: the transport may still read it after the call has returned.
	return bytes.Clone(s.encoder.Seal(key)), nil
}

func newNonce() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("daxpay: cannot make a random number: %w", err)
	}
	var text [2 * len(b)]byte
	hex.Encode(text[:], b[:])
	return string(text[:]), nil
}

// reply is what came back over HTTP.
type reply struct {
	status      int
	contentType string
	encoding    string // Content-Encoding, if the transport did not decode it
	location    string // of a redirect
	date        string
	named       bool // the body is the gateway's JSON for an unknown path
	body        []byte
	sent        time.Time // by Config.Now, just before the request was sent
	took        time.Duration
}

func (c *core) post(ctx context.Context, call *call, path string, body []byte) (reply, error) {
	if err := ctx.Err(); err != nil {
		return reply{}, &TransportError{Path: path, NeverSent: true, Err: err}
	}
	r := reply{sent: c.Now()}
	start := time.Now()
	s := new(sending)
	s.body.Reset(body)
	end, mayFollow := c.attemptEnd(call, start)
	attempt, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	if !call.effect.Repeatable() {
		s.stop = cancel
	}
	client := c.resty
	if call.effect == param.EffectOnce {
		client = c.fresh
	}
	res, err := client.R().SetContext(s.follow(attempt)).SetBody(&s.body).Post(c.ServiceURL + path)
	r.took = time.Since(start)
	if err == nil {
		err = r.receive(res, path, c.MaxAnswerSize)
	}
	switch {
	case s.wasRepeated():
		err = &TransportError{Path: path, Err: errRepeats}
	case err != nil && mayFollow && attempt.Err() != nil && ctx.Err() == nil:
		err = s.failed(path, &attemptTimeoutError{after: c.AttemptTimeout})
	case err != nil:
		err = s.failed(path, err)
	}
	return r, err
}

// attemptEnd returns when an attempt that starts now must end: after Config.AttemptTimeout if another attempt may
// follow, else with the call.
func (c *core) attemptEnd(call *call, start time.Time) (end time.Time, mayFollow bool) {
	end = start.Add(c.AttemptTimeout)
	if call.effect.Repeatable() && end.Before(call.end) {
		return end, true
	}
	return call.end, false
}

var errRepeats = errors.New("the transport of Config.HTTPClient sends requests again by itself: switch its retries off")

// attemptTimeoutError says that an attempt took too long, while there was time for another.
type attemptTimeoutError struct{ after time.Duration }

func (e *attemptTimeoutError) Error() string {
	return "timeout after " + e.after.String() + ", see Config.AttemptTimeout"
}

// Timeout makes it a timeout for code that asks net.Error.Timeout.
func (*attemptTimeoutError) Timeout() bool { return true }

// failed returns the error of a request that brought no complete answer.
func (s *sending) failed(path string, err error) error {
	if errors.Is(err, ErrTooLarge) {
		return err
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err // without the URL
	}
	return &TransportError{Path: path, NeverSent: s.neverSent(), Err: &scrubbedError{err}}
}

// receive reads the whole answer.
func (r *reply) receive(res *resty.Response, path string, limit int64) error {
	defer res.RawBody().Close() //nolint:errcheck // the answer was read, or it is refused anyway
	header := res.Header()
	r.status, r.contentType, r.date = res.StatusCode(), clip(header.Get("Content-Type"), 64), header.Get("Date")
	r.encoding, r.location = clip(header.Get("Content-Encoding"), 32), header.Get("Location")
	var err error
	r.body, err = readAll(res.RawBody(), res.RawResponse.ContentLength, limit)
	if errors.Is(err, ErrTooLarge) {
		return &AnswerError{Path: path, Reason: fmt.Sprintf("more than %d bytes: see Config.MaxAnswerSize", limit),
			Err: ErrTooLarge}
	}
	return err
}

// readAll reads at most limit bytes. announced is the Content-Length, negative if there was none. It is trusted only up
// to the usual size of a message, so that a sender who announces a large body and sends nothing costs no memory. A
// longer body is read in pieces and needs little more than twice its size.
func readAll(r io.Reader, announced, limit int64) ([]byte, error) {
	if announced > limit {
		return nil, ErrTooLarge
	}
	const unannounced, usual = 512, 16 << 10
	size := min(announced, usual) + 1 // one more byte, to notice the end
	if announced < 0 {
		size = unannounced
	}
	piece := make([]byte, 0, size)
	var pieces [][]byte // full ones
	before := int64(0)  // their length
	for {
		n, err := r.Read(piece[len(piece):cap(piece)])
		piece = piece[:len(piece)+n]
		length := before + int64(len(piece))
		switch {
		case length > limit:
			return nil, ErrTooLarge
		case errors.Is(err, io.EOF):
			if len(pieces) == 0 {
				return piece, nil
			}
			return slices.Concat(append(pieces, piece)...), nil
		case err != nil:
			return nil, err
		}
		switch {
		case len(piece) < cap(piece):
		case length < usual:
			piece = slices.Grow(piece, len(piece))
		default:
			pieces, before = append(pieces, piece), length
			piece = make([]byte, 0, usual)
		}
	}
}

// sendOnce keeps net/http from resending the body, which it does after some HTTP/2 errors. Whether to send again is for
// Retry to decide, which knows what was written.
func sendOnce(_ *resty.Client, r *http.Request) error {
	r.GetBody = nil
	return nil
}
