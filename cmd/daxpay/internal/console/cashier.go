package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/daxpay-go/daxpay/daxpaytest"
)

// cashierData is what the customer sees.
type cashierData struct {
	Order    daxpaytest.Order
	State    string // open, paid, over
	Why      words
	QR       string
	Back     string
	Declined bool
}

func (s *server) cashierOrder(r *http.Request) (daxpaytest.Order, error) {
	o, ok := s.gw.Order(daxpaytest.KindPay, r.PathValue("no"))
	if !ok || o.Channel == "wallet_pay" {
		return o, errNoOrder
	}
	return o, nil
}

// cashierPage is the page behind a QR code or a payment page. Opening it counts as a scan at the channel.
func (s *server) cashierPage(r *http.Request) (string, words, string, any, error) {
	o, err := s.cashierOrder(r)
	if err != nil {
		return "", words{}, "", nil, err
	}
	d := cashierData{Order: o, State: "open", Declined: r.URL.Query().Has("declined")}
	if strings.HasPrefix(o.ReturnURL, "http://") || strings.HasPrefix(o.ReturnURL, "https://") {
		d.Back = o.ReturnURL
	}
	switch {
	case o.AtChannel == "paid" || o.AtChannel == "finished":
		d.State = "paid"
	case o.AtChannel == "returned":
		d.State, d.Why = "over", words{"已经付款并退回。", "It was paid and given back."}
	case o.AtChannel == "closed", o.Status == "cancel", o.Status == "close", o.Status == "fail":
		d.State, d.Why = "over", words{"订单已经关闭。", "The order is closed."}
	case o.Expires > 0 && s.clock.Now().Unix() >= o.Expires:
		d.State, d.Why = "over", words{"订单已经过期。", "The order has expired."}
	case o.AtChannel == "":
		ctx := context.WithoutCancel(r.Context())
		if err := s.note(ctx, "cashier-scan", o); err != nil {
			return "", words{}, "", nil, err
		}
		s.gw.Channel().Waits(o.No)
		s.changed(o)
	}
	return "cashier", words{"收银台", "Cashier"}, "", d, nil
}

func (s *server) pressOnCashier(r *http.Request) (string, error) {
	o, err := s.cashierOrder(r)
	if err != nil {
		return "", err
	}
	act := r.PostFormValue("act")
	if act != "pay" && act != "decline" {
		return "", errNoButton
	}
	back := "/_cashier/" + o.No
	ctx := context.WithoutCancel(r.Context())
	s.mu.Lock() // two clicks are one payment
	defer s.mu.Unlock()
	if o, _ = s.gw.Order(o.Kind, o.No); o.Status != "progress" || o.AtChannel != "waiting" && o.AtChannel != "" ||
		o.Expires > 0 && s.clock.Now().Unix() >= o.Expires {
		return back, nil // the page says why
	}
	defer s.changed(o)
	if act == "pay" {
		return back, s.pay(ctx, o)
	}
	return back + "?declined", s.note(ctx, "cashier-decline", o)
}

// cashierQR is the code that leads to the cashier, for a page of a shop or of the console.
func (s *server) cashierQR(w http.ResponseWriter, r *http.Request) {
	o, err := s.cashierOrder(r)
	if err != nil {
		http.Error(w, "no such order", http.StatusNotFound)
		return
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	svg, err := qrSVG(scheme + r.Host + "/_cashier/" + o.No)
	if err != nil {
		http.Error(w, "no code", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(svg) //nolint:gosec // made of squares
}
