// Package shop is a small shop that sells tea: it shows a QR code, follows the payment, and takes notices.
package shop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/yeqown/go-qrcode/v2"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Shop is an http.Handler. It keeps its orders in memory, which a real shop must not do.
type Shop struct {
	// Kit is the client of the gateway.
	Kit *daxpay.Client
	// URL is where the gateway can reach the shop.
	URL string
	// NoticesOnly keeps it from querying payments: it relies on notices alone, which a real shop should not do.
	NoticesOnly bool

	once   sync.Once
	mux    *http.ServeMux
	mu     sync.Mutex
	orders map[string]*order
	made   int
}

type order struct {
	No, Title string
	Amount    int64
	PayBody   string
	Paid      string // how the shop learned of it; empty while it is not paid
}

// ServeHTTP implements http.Handler.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.once.Do(func() {
		s.orders = make(map[string]*order)
		s.mux = http.NewServeMux()
		s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { show(w, "shelf", nil) })
		s.mux.HandleFunc("POST /buy", s.buy)
		s.mux.HandleFunc("GET /order/{no}", s.order)
		s.mux.HandleFunc("GET /order/{no}/qr.svg", s.code)
		s.mux.Handle("POST /notify", s.Kit.NoticeHandler(daxpay.NoticeHandlers{Pay: s.notified}))
	})
	s.mux.ServeHTTP(w, r)
}

func (s *Shop) buy(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.made++
	o := &order{
		No:     fmt.Sprintf("SHOP-%s-%04d", time.Now().Format("20060102-150405"), s.made),
		Title:  "手冲壶 600 ml <gift>",
		Amount: 25900,
	}
	s.orders[o.No] = o
	s.mu.Unlock()
	res, err := s.Kit.Pay(r.Context(), &param.PayParam{
		BizOrderNo: o.No, Title: o.Title, Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: o.Amount,
		NotifyURL: s.URL + "/notify", ReturnURL: s.URL + "/order/" + o.No,
	})
	sent := time.Now()
	if err != nil {
		slog.Error("pay", "error", err)
		w.WriteHeader(http.StatusBadGateway)
		show(w, "failed", err.Error())
		return
	}
	s.mu.Lock()
	o.PayBody = res.Data.PayBody
	s.mu.Unlock()
	if !s.NoticesOnly {
		go s.wait(context.WithoutCancel(r.Context()), o, sent)
	}
	http.Redirect(w, r, "/order/"+o.No, http.StatusSeeOther)
}

// wait follows a payment until its outcome is known.
func (s *Shop) wait(ctx context.Context, o *order, sent time.Time) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	found, err := s.Kit.WaitPay(
		ctx,
		&param.QueryPayOrderParam{BizOrderNo: o.No},
		daxpay.Wait{Made: sent, Amount: o.Amount},
	)
	if err != nil {
		slog.Error("wait", "error", err)
		return
	}
	if found.Data.Standing() == model.Succeeded {
		s.settle(o, "WaitPay")
	}
}

func (s *Shop) notified(_ context.Context, n *model.PayNotice) error {
	s.mu.Lock()
	o := s.orders[n.BizOrderNo]
	s.mu.Unlock()
	if o == nil {
		return fmt.Errorf("order %s is not ours", n.BizOrderNo)
	}
	err := daxpay.Expect{BizOrderNo: o.No, Amount: o.Amount, Paid: true}.Check(n)
	if errors.Is(err, daxpay.ErrUnproved) {
		return nil // closed or cancelled: it can still be paid
	}
	if err == nil {
		s.settle(o, "a notice")
	}
	return err
}

// settle takes effect once.
func (s *Shop) settle(o *order, how string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Paid == "" {
		o.Paid = how
	}
}

// find returns a copy of the order that a path names.
func (s *Shop) find(w http.ResponseWriter, r *http.Request) (order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[r.PathValue("no")]
	if o == nil {
		http.NotFound(w, r)
		return order{}, false
	}
	return *o, true
}

func (s *Shop) order(w http.ResponseWriter, r *http.Request) {
	if o, ok := s.find(w, r); ok {
		show(w, "order", o)
	}
}

// code is the QR code that the customer scans.
func (s *Shop) code(w http.ResponseWriter, r *http.Request) {
	o, ok := s.find(w, r)
	if !ok {
		return
	}
	code, err := qrcode.New(o.PayBody)
	if err == nil {
		w.Header().Set("Content-Type", "image/svg+xml")
		err = code.Save(&drawing{to: w})
	}
	if err != nil {
		slog.Error("QR code", "error", err)
	}
}

// drawing writes a code as SVG.
type drawing struct{ to http.ResponseWriter }

// Write implements qrcode.Writer.
func (d *drawing) Write(m qrcode.Matrix) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 %d %d"><path d="`, m.Width()+8, m.Height()+8)
	m.Iterate(qrcode.IterDirection_ROW, func(x, y int, v qrcode.QRValue) {
		if v.IsSet() {
			fmt.Fprintf(&b, "M%d %dh1v1h-1z", x, y)
		}
	})
	b.WriteString(`"/></svg>`)
	_, err := d.to.Write(b.Bytes())
	return err
}

// Close implements qrcode.Writer.
func (*drawing) Close() error { return nil }

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"yuan": func(fen int64) string { return fmt.Sprintf("¥%d.%02d", fen/100, fen%100) },
}).Parse(`
{{define "top"}}<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Tea shop</title><link rel="icon" href="data:,">
<style>
body{font:16px/1.5 system-ui;max-width:26em;margin:3em auto;padding:0 1em}button{font:inherit;padding:.5em 1.5em}
</style><h1>Tea shop</h1>{{end}}
{{define "shelf"}}{{template "top"}}<p>A pour-over kettle, ¥259.00</p>
<form method="post" action="/buy"><button id="buy">Buy</button></form>{{end}}
{{define "order"}}{{template "top"}}<p>{{.Title}}: {{yuan .Amount}}</p><p>{{.No}}</p>
{{if .Paid}}<p id="state">Paid, known by {{.Paid}}</p>{{else}}<meta http-equiv="refresh" content="1">
<p id="state">Waiting for the payment</p>
<p><a id="cashier" href="{{.PayBody}}"><img id="qr" src="/order/{{.No}}/qr.svg" width="240"
alt="QR code: scan or click to pay"></a></p>{{end}}{{end}}
{{define "failed"}}{{template "top"}}<p id="state">The payment could not be begun: {{.}}</p>{{end}}
`))

func show(w http.ResponseWriter, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := pages.ExecuteTemplate(w, name, data); err != nil {
		slog.Error("page", "error", err)
	}
}
