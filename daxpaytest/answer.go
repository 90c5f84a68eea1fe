package daxpaytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"

	"github.com/daxpay-go/daxpay/internal/peer"
)

var errNoAlgorithm = errors.New("daxpaytest: Settings.SignType is not an algorithm that signs")

// SignAnswer returns a signed answer with data that the test makes up, for a mock that stands in for the gateway. data
// is the member data of the answer: JSON text as a string, []byte or json.RawMessage, or a value that encoding/json
// writes as an object, such as a map or a model. The members code, msg and resTime become 0, null and the time of the
// gateway's clock where they are missing or null. A code of 1 with a msg is a refusal. SignAnswer sets the member sign.
// It returns an error if data is not an object, or if Settings.SignType is not an algorithm.
//
// A client checks more than the signature: see Gateway.Responder.
func (g *Gateway) SignAnswer(data any) ([]byte, error) {
	members, err := membersOf(data)
	if err != nil {
		return nil, fmt.Errorf("daxpaytest: the data of an answer: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.canSign() {
		return nil, errNoAlgorithm
	}
	all := object{
		{"code", number(codeOK)}, {"msg", nil}, {"resTime", number(g.now().Unix())}, {"sign", nil},
	}
	for _, p := range members {
		i := slices.IndexFunc(all[:4], func(known pair) bool { return known.Name == p.Name })
		switch {
		case i < 0:
			all = append(all, p)
		case p.Value != nil && p.Name != "sign":
			all[i].Value = p.Value
		}
	}
	return encode(g.enveloped(all, g.traceID()), true), nil
}

// membersOf returns the members of the object that data is.
func membersOf(data any) (object, error) {
	var text []byte
	switch data := data.(type) {
	case string:
		text = []byte(data)
	case []byte:
		text = data
	default:
		var err error
		if text, err = json.Marshal(data); err != nil {
			return nil, err
		}
	}
	members, err := peer.Parse(text)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return members, err
}

// Responder returns a function that answers each request with SignAnswer(data). The function is a responder of package
// github.com/jarcoal/httpmock:
//
//	transport := httpmock.NewMockTransport()
//	cfg := gw.Config()
//	cfg.HTTPClient = &http.Client{Transport: transport}
//	transport.RegisterResponder("POST", gw.URL()+"/unipay/query/payOrder", gw.Responder(map[string]any{
//		"orderNo": "P1", "bizOrderNo": "A1", "amount": 100, "status": "success",
//	}))
//	transport.RegisterNoResponder(gw.RoundTrip) // every other call goes to the gateway
//
// The client also checks that the answer to a query repeats the number that was asked for, and has the members that
// prove success. If SignAnswer returns an error, the call fails with it.
func (g *Gateway) Responder(data any) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		body, err := g.SignAnswer(data)
		if r.Body != nil {
			err = errors.Join(err, r.Body.Close())
		}
		if err != nil {
			return nil, err
		}
		answer := httptest.NewRecorder()
		answer.Header()["Content-Type"] = jsonType
		write(answer, http.StatusOK, body)
		res := answer.Result()
		res.Request = r
		return res, nil
	}
}
