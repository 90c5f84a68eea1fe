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

// seal writes and signs the request. Each attempt has a time and a nonce of its own: the gateway takes ten seconds for
// old.
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
	// The body is not pooled: the transport may still be reading it when the call has returned.
	return bytes.Clone(s.encoder.Seal(key)), nil
}

func newNonce() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("daxpay: no random numbers: %w", err)
	}
	var text [2 * len(b)]byte
	hex.Encode(text[:], b[:])
	return string(text[:]), nil
}

// reply is what came back over HTTP.
type reply struct {
	status      int
	contentType string
	encoding    string // Content-Encoding, if it was not undone
	location    string // of a redirect
	date        string
	named       bool // it is JSON that names the path that was asked for
	body        []byte
	sent        time.Time // by Config.Now, before it went out
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

// attemptEnd is when an attempt that starts now ends: by Config.AttemptTimeout, if another may follow, else by
// Config.Timeout.
func (c *core) attemptEnd(call *call, start time.Time) (end time.Time, mayFollow bool) {
	end = start.Add(c.AttemptTimeout)
	if call.effect.Repeatable() && end.Before(call.end) {
		return end, true
	}
	return call.end, false
}

var errRepeats = errors.New("the transport of Config.HTTPClient sends requests again by itself, which was stopped: " +
	"switch that off")

// attemptTimeoutError says that an attempt took too long, while the call had time left.
type attemptTimeoutError struct{ after time.Duration }

func (e *attemptTimeoutError) Error() string {
	return "nothing within " + e.after.String() + ", see Config.AttemptTimeout"
}

// Timeout makes it a timeout as net.Error tells one.
func (*attemptTimeoutError) Timeout() bool { return true }

// failed is the error of a request that did not bring an answer, or not all of it.
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

// readAll reads at most limit bytes; announced is the Content-Length, negative if there was none. It is taken at its
// word up to what messages have: a sender who announces much and sends nothing, to the URL of notices for one, gets no
// memory for it. What is longer is read in pieces, so that it takes little more memory than twice its size.
func readAll(r io.Reader, announced, limit int64) ([]byte, error) {
	if announced > limit {
		return nil, ErrTooLarge
	}
	const unannounced, usual = 512, 16 << 10
	size := min(announced, usual) + 1 // one more, to see that nothing follows
	if announced < 0 {
		size = unannounced
	}
	piece := make([]byte, 0, size)
	var pieces [][]byte // that are full
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

// sendOnce takes the means to send the body again from net/http, which would do so by itself after some faults of
// HTTP/2: it is for Retry to decide, with what happened on the wire.
func sendOnce(_ *resty.Client, r *http.Request) error {
	r.GetBody = nil
	return nil
}
