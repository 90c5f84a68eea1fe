package console

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/daxpay-go/daxpay/daxpaytest"
)

// longestBody is how much of a body is kept.
const longestBody = 64 << 10

// journal stores what happened at the gateway, and tells the pages that are open.
func (s *server) journal(e daxpaytest.Entry) error {
	var events []event
	var numbers [][]string
	var topics []string
	for _, q := range e.Questions {
		events = append(events, askEvent(q))
		numbers = append(numbers, []string{key(kindOfOperation(q.Operation), q.Number)})
	}
	for _, r := range e.Requests {
		events = append(events, s.callEvent(r))
		numbers = append(numbers, numbersOf(r.Body, r.Answer))
		topics = append(topics, "requests", "orders")
	}
	for _, d := range e.Deliveries {
		events = append(events, noticeEvent(d))
		numbers = append(numbers, append(numbersOf(d.Body, nil), key(d.Kind, d.No)))
		topics = append(topics, "notices", "orders")
	}
	if len(e.Rows) > 0 {
		topics = append(topics, "orders", "settings")
	}
	if err := s.store.write(context.Background(), events, numbers, e.Rows); err != nil {
		s.log.Error("the data file cannot be written; the call gets no answer", "error", err)
		return err
	}
	for _, list := range numbers {
		for _, no := range list {
			topics = append(topics, "order:"+no)
		}
	}
	s.hub.publish(topics...)
	return nil
}

// record stores an event that the gateway does not know of.
func (s *server) record(ctx context.Context, e event, number string) error {
	e.At = s.clock.Now()
	if err := s.store.write(ctx, []event{e}, [][]string{{number}}, nil); err != nil {
		return err
	}
	s.hub.publish("orders", "notices", "order:"+number)
	return nil
}

// changed tells the pages about an order that it has changed.
func (s *server) changed(o daxpaytest.Order) {
	s.hub.publish("orders", "order:"+key(o.Kind, o.No))
}

// key is the number of an order, by which its events are found.
func key(kind daxpaytest.OrderKind, no string) string {
	return string(kind) + ":" + strings.ToLower(no)
}

// bizKey is the merchant's number of an order.
func bizKey(kind daxpaytest.OrderKind, no string) string {
	return string(kind) + "-biz:" + strings.ToLower(no)
}

func kindOfOperation(op daxpaytest.Operation) daxpaytest.OrderKind {
	switch op {
	case daxpaytest.OpRefund, daxpaytest.OpRefundSync:
		return daxpaytest.KindRefund
	case daxpaytest.OpTransfer:
		return daxpaytest.KindTransfer
	case daxpaytest.OpAllocation, daxpaytest.OpAllocationFinish, daxpaytest.OpAllocationSync:
		return daxpaytest.KindAlloc
	case daxpaytest.OpReceiverAdd, daxpaytest.OpReceiverRemove:
		return "receiver"
	}
	return daxpaytest.KindPay
}

// members are the names of numbers, in requests, answers and notices of every release. Those that begin with biz are
// the merchant's.
var members = map[string]daxpaytest.OrderKind{
	"orderNo":         daxpaytest.KindPay,
	"bizOrderNo":      daxpaytest.KindPay,
	"bizOrderNoeNo":   daxpaytest.KindPay, // misspelt in every release
	"bizTradeNo":      daxpaytest.KindPay,
	"refundNo":        daxpaytest.KindRefund,
	"bizRefundNo":     daxpaytest.KindRefund,
	"transferNo":      daxpaytest.KindTransfer,
	"bizTransferNo":   daxpaytest.KindTransfer,
	"allocNo":         daxpaytest.KindAlloc,
	"allocationNo":    daxpaytest.KindAlloc,
	"bizAllocNo":      daxpaytest.KindAlloc,
	"bizAllocationNo": daxpaytest.KindAlloc,
}

// numbersOf are the orders that a request and its answer, or a notice, name.
func numbersOf(sent, got []byte) []string {
	var list []string
	collect := func(body []byte) {
		var o map[string]json.RawMessage
		if json.Unmarshal(body, &o) != nil {
			return
		}
		for name, kind := range members {
			var no string
			switch {
			case json.Unmarshal(o[name], &no) != nil || no == "" || len(no) > 200:
			case strings.HasPrefix(name, "biz"):
				list = append(list, bizKey(kind, no))
			default:
				list = append(list, key(kind, no))
			}
		}
	}
	collect(sent)
	var envelope struct{ Data json.RawMessage }
	if json.Unmarshal(got, &envelope) == nil {
		collect(envelope.Data)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func cut(body []byte, was *bool) []byte {
	if len(body) > longestBody {
		*was = true
		return body[:longestBody]
	}
	return body
}

func (s *server) callEvent(r daxpaytest.Request) event {
	e := event{At: r.Began, Took: r.Took, Kind: kindCall, Name: r.Path, TraceID: r.TraceID, Code: r.Code, Status: r.Status,
		Info: info{
			Remote:     r.RemoteAddr,
			Method:     r.Method,
			Fault:      string(r.Fault),
			SignedText: r.SignedText,
			Expected:   r.Sign,
		}}
	if r.SignedText != "" {
		e.Info.SignType = "HMAC_SHA256"
		if len(r.Sign) == 32 {
			e.Info.SignType = "MD5"
		}
	}
	e.Bad = r.Code != 0 || e.faulty() || failedIn(r.Answer)
	e.In, e.Out = cut(r.Body, &e.Info.Cut), cut(r.Answer, &e.Info.Cut)
	if e.Info.Cut { // what was signed is as long, and cannot be compared with half a body
		e.Info.SignedText, e.Info.Expected, e.Info.SignType = "", "", ""
	}
	return e
}

// failedIn tells whether a successful answer reports a failure: by its status, or by a text without a status.
func failedIn(answer []byte) bool {
	a := readAnswer(answer)
	return strings.HasSuffix(a.status, "fail") || strings.HasSuffix(a.status, "failed") || a.msg != "" && a.status == ""
}

// answer is what a line about an answer shows.
type answer struct {
	outer, code json.Number
	status, msg string
}

func readAnswer(body []byte) answer {
	var o struct {
		Code *json.Number
		Msg  *string
		Data *struct {
			Code   *json.Number
			Msg    *string
			Status *string
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&o) != nil || o.Code == nil {
		return answer{}
	}
	a := answer{outer: *o.Code}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	if o.Data == nil {
		a.msg = text(o.Msg)
		return a
	}
	if o.Data.Code != nil {
		a.code = *o.Data.Code
	}
	a.status, a.msg = text(o.Data.Status), text(o.Data.Msg)
	return a
}

func askEvent(q daxpaytest.Question) event {
	return event{At: q.Began, Took: q.Took, Kind: kindAsk, Name: string(q.Operation), TraceID: q.TraceID,
		Bad:  !q.OK && !q.Later,
		Info: info{Number: q.Number, Code: q.Code, Msg: q.Msg, NoAnswer: q.NoAnswer, Later: q.Later}}
}

func noticeEvent(d daxpaytest.Delivery) event {
	e := event{At: d.Began, Took: d.Took, Kind: kindNotice, Name: string(d.Kind), Status: d.Status, Bad: !d.Received,
		Info: info{Number: d.No, URL: d.URL, Attempt: d.Attempt, Received: d.Received, Lost: d.Lost, Err: d.Err}}
	e.In, e.Out = cut(d.Body, &e.Info.Cut), d.Reply
	return e
}
