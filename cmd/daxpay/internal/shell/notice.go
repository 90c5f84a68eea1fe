package shell

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
)

func (s *shell) noticeCommand() *cobra.Command {
	return group("notice", "Send notices to a shop in development", "Sends notices to a shop in development.",
		s.noticeSendCommand())
}

// noticeTypes are the notices by their kind.
var noticeTypes = map[model.NoticeKind]reflect.Type{
	model.NoticePay:    reflect.TypeFor[model.PayNotice](),
	model.NoticeRefund: reflect.TypeFor[model.RefundNotice](),
	model.NoticeAlloc:  reflect.TypeFor[model.AllocNotice](),
}

var noticeKinds = []string{string(model.NoticePay), string(model.NoticeRefund), string(model.NoticeAlloc)}

func (s *shell) noticeSendCommand() *cobra.Command {
	var to, kind string
	var yes, show bool
	cmd := &cobra.Command{
		Use: "send", Short: "Sign a notice and send it to a shop", Args: noArgs,
		Long: "Signs a notice with the secret, sends it once as a gateway does, and prints the reply. A notice counts as\n" +
			"received if the body of the reply is exactly the 7 bytes SUCCESS and arrives within 5 seconds.\n" +
			"The flags are the members of the notice; those that are not given have the values of a sample order.\n" +
			"--gateway tells which version the notice is of, by default 2.0.8. Exit status 1: it was not received.",
		Example: "  daxpay notice send --to http://127.0.0.1:8080/notify --kind pay --biz-order-no A1 --amount 29900\n" +
			"  daxpay notice send --to http://127.0.0.1:8080/notify --kind refund --status close",
		RunE: s.run(func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.config(cmd, false)
			if err != nil {
				return err
			}
			body, err := noticeOf(cmd, cfg, model.NoticeKind(kind))
			if err != nil {
				return err
			}
			report := &sentNotice{To: to}
			if report.Notice, err = read(cfg, body); err != nil {
				s.warnf("the SDK refuses this notice: %s\n", strings.TrimPrefix(err.Error(), "daxpay: "))
			}
			if show {
				s.printf("%s\n", body)
				return nil
			}
			if !strings.HasPrefix(to, "http://") && !strings.HasPrefix(to, "https://") {
				return failure(exitUsage, "--to must be the URL of the shop, such as http://127.0.0.1:8080/notify")
			}
			if !onLoopback(to) {
				what := "A signed notice to " + to
				if report.Notice != nil {
					what += "\n  " + report.Notice.String()
				}
				if err := s.confirm(cmd.Context(), what, yes); err != nil {
					return err
				}
			}
			if report.Reply, err = post(cmd.Context(), to, body); err != nil {
				return failure(exitNoAnswer, "not received: %w", err)
			}
			return s.printSent(report)
		}),
	}
	addSettings(cmd, false)
	cmd.Flags().StringVar(&to, "to", "", "URL of the shop, its NotifyURL")
	cmd.Flags().StringVar(&kind, "kind", noticeKinds[0], "what it is about: "+strings.Join(noticeKinds, ", "))
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before sending to another machine")
	cmd.Flags().BoolVar(&show, "dry-run", false, "print the notice instead of sending it")
	addNoticeFields(cmd)
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(noticeKinds, noFiles))
	return cmd
}

// addNoticeFields adds a flag for each member that a notice can have.
func addNoticeFields(cmd *cobra.Command) {
	for _, kind := range noticeKinds {
		for _, f := range fieldsOf(noticeTypes[model.NoticeKind(kind)]) {
			if cmd.Flags().Lookup(f.flag) != nil { // of another kind; the status differs from kind to kind
				continue
			}
			if f.member == "status" {
				f.typ = reflect.TypeFor[string]()
			}
			addFields(cmd, []field{f})
		}
	}
	var states []string
	usage := "state of the order"
	for _, kind := range noticeKinds {
		t, _ := noticeTypes[model.NoticeKind(kind)].FieldByName("Status")
		values := texts.Values[t.Type.Name()]
		states = append(states, values...)
		usage += "; " + kind + ": " + strings.Join(values, ", ")
	}
	cmd.Flags().Lookup("status").Usage = usage
	slices.Sort(states)
	_ = cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(slices.Compact(states), noFiles))
}

// noticeOf makes a signed notice of the members that were given. The others are those of a sample order of daxpaytest.
func noticeOf(cmd *cobra.Command, cfg daxpay.Config, kind model.NoticeKind) ([]byte, error) {
	t, ok := noticeTypes[kind]
	if !ok {
		return nil, failure(exitUsage, "--kind must be one of %s", strings.Join(noticeKinds, ", "))
	}
	fields := fieldsOf(t)
	var given []field
	var errs []error
	values := reflect.New(t).Elem()
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		value, ok := flag.Value.(*fieldFlag)
		if !ok {
			return
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.flag == value.field.flag })
		if i < 0 {
			errs = append(errs, failure(exitUsage, "--%s is no member of a %s notice", flag.Name, kind))
			return
		}
		given = append(given, fields[i])
		if err := fields[i].set(values, value.text); err != nil {
			errs = append(errs, failure(exitUsage, "--%s %w", flag.Name, err))
		}
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	body, err := exampleOf(cfg, values.Addr().Interface())
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, err
	}
	for _, f := range given {
		if numbered(f.member) {
			continue // it is there already, under the name that the version has for it
		}
		if _, ok := members[f.member]; !ok {
			return nil, failure(exitUsage, "--%s: a %s notice of gateway %s has no %s", f.flag, kind, cfg.Gateway, f.member)
		}
		if members[f.member], err = plainJSON(values.FieldByIndex(f.index).Interface()); err != nil {
			return nil, err
		}
	}
	delete(members, "sign")
	if body, err = plainJSON(members); err != nil {
		return nil, err
	}
	signer, err := daxpay.NewSigner(cmpOr(cfg.SignType, daxpay.HMACSHA256), cfg.SignSecret)
	if err != nil {
		return nil, err
	}
	sign, err := signer.In(cfg.Location).Sign(body)
	if err != nil {
		return nil, err
	}
	return withSign(body, sign)
}

// numbered tells whether exampleOf has taken the member from its flag.
func numbered(member string) bool {
	return strings.HasSuffix(member, "No") && !strings.HasPrefix(member, "out")
}

func cmpOr(t, other daxpay.SignType) daxpay.SignType {
	if t == "" {
		return other
	}
	return t
}

// exampleOf is a notice of daxpaytest's gateway about an order with the numbers and the status of n.
func exampleOf(cfg daxpay.Config, n any) ([]byte, error) {
	gw := daxpaytest.New(daxpaytest.WithVersion(cfg.Gateway), daxpaytest.WithoutNotices())
	defer gw.Close()
	number := strconv.FormatInt(time.Now().UnixMilli(), 10)
	order := daxpaytest.Payment{
		OrderNo: "P" + number, BizOrderNo: "A" + number, Title: "notice", Amount: 100,
		Status: model.PaySyncSuccess, Attach: "attach",
	}
	switch n := n.(type) {
	case *model.PayNotice:
		order.OrderNo, order.BizOrderNo = or(n.OrderNo, order.OrderNo), or(n.BizOrderNo, order.BizOrderNo)
		if n.Status != "" && n.Status != model.PayProgress { // of which the gateway has no notice
			order.Order = n.Status
		}
		gw.SetPayment(order)
		return gw.Notice(order.OrderNo)
	case *model.RefundNotice:
		order.OrderNo, order.BizOrderNo = or(n.OrderNo, order.OrderNo), or(n.BizOrderNo, order.BizOrderNo)
		gw.SetPayment(order)
		refund := daxpaytest.Refund{
			RefundNo: or(n.RefundNo, "R"+number), BizRefundNo: or(n.BizRefundNo, "B"+number), OrderNo: order.OrderNo,
			Amount: 100, Status: model.RefundSyncSuccess, Attach: "attach",
		}
		if n.Status != "" && n.Status != model.RefundSuccess {
			refund.Order = model.RefundClose
		}
		gw.SetRefund(refund)
		return gw.Notice(refund.RefundNo)
	case *model.AllocNotice:
		order.OrderNo, order.BizOrderNo = or(n.OrderNo, order.OrderNo), or(n.BizOrderNo, order.BizOrderNo)
		order.Allocation = true
		gw.SetPayment(order)
		alloc := daxpaytest.Allocation{
			AllocNo: or(n.AllocNo, "F"+number), BizAllocNo: or(n.BizAllocNo, "B"+number), OrderNo: order.OrderNo,
			Status: model.AllocEnd, Shares: []daxpaytest.Share{{ReceiverNo: "V1", Amount: 100}}, Attach: "attach",
		}
		gw.SetAllocation(alloc)
		return gw.Notice(alloc.AllocNo)
	}
	return nil, fmt.Errorf("no notice %T", n)
}

func or(given, other string) string {
	if given != "" {
		return given
	}
	return other
}

// read has the SDK read a notice as the shop does.
func read(cfg daxpay.Config, body []byte) (*noticeReport, error) {
	kit, err := daxpay.New(cfg)
	if err != nil {
		return nil, err
	}
	n, err := kit.ParseNotice(body)
	if err != nil {
		return nil, err
	}
	return reportOf(n), nil
}

// sentNotice is a notice that was sent, with the reply.
type sentNotice struct {
	To     string        `json:"to"`
	Notice *noticeReport `json:"notice,omitempty"`
	Reply  *reply        `json:"reply"`
}

func (s *shell) printSent(n *sentNotice) error {
	if s.json {
		if err := s.printJSON(n); err != nil {
			return err
		}
	} else {
		if n.Notice != nil {
			s.printf("sent: %s\n", n.Notice)
		}
		s.printReply(n.Reply)
	}
	if !n.Reply.Received {
		return failure(exitFailed, "the gateway would not take this for received: %s", n.Reply.why())
	}
	return nil
}

// reply is the answer of a shop to a notice.
type reply struct {
	Status   int    `json:"status"`
	Body     string `json:"body"`
	Millis   int64  `json:"milliseconds"`
	Received bool   `json:"received"`
}

const (
	noticeTimeout = 5 * time.Second
	maxReply      = 4096
)

// why says what is wrong with a reply that does not count as received.
func (r *reply) why() string {
	switch trimmed := strings.TrimSpace(r.Body); {
	case r.Status >= 300 && r.Status < 400:
		return "redirects are not followed"
	case trimmed == received:
		return "there is white space or a line break around SUCCESS"
	case strings.EqualFold(trimmed, received):
		return "SUCCESS must be in upper case"
	case strings.Trim(trimmed, `"`) == received:
		return "SUCCESS must not be in quotes"
	case trimmed == "FAIL":
		return "the receiver refuses it: its log says why"
	case r.Status == http.StatusNotFound || r.Status == http.StatusMethodNotAllowed:
		return "the receiver has no such address, or takes no POST there"
	}
	return "the body must be exactly the 7 bytes SUCCESS"
}

func (s *shell) printReply(r *reply) {
	s.printf("reply: HTTP %d after %d ms, %d bytes: %s\n", r.Status, r.Millis, len(r.Body), quoteReply(r.Body))
	if r.Received {
		s.printf("%s: the gateway takes it for received\n", s.paint(green, "received"))
	} else {
		s.printf("%s: %s\n", s.paint(red, "not received"), r.why())
	}
}

// quoteReply shows the beginning of a body, with its white space.
func quoteReply(body string) string {
	const most = 200
	runes := []rune(body)
	if len(runes) > most {
		return fmt.Sprintf("%+q…", string(runes[:most]))
	}
	return fmt.Sprintf("%q", body)
}

// noticeClient sends as the gateway does: it follows no redirect. It does not inflate replies; inflated does.
var noticeClient = &http.Client{
	Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// post sends a notice as the gateway does, and returns the reply.
func post(ctx context.Context, to string, body []byte) (*reply, error) {
	ctx, cancel := context.WithTimeout(ctx, noticeTimeout)
	defer cancel()
	start := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/html,application/json,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	req.Header.Set("Accept-Encoding", "gzip, deflate")
	res, err := noticeClient.Do(req)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("%s did not answer within 5 seconds", to)
		}
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	text, err := inflated(res)
	if err != nil {
		return nil, fmt.Errorf("the reply could not be read: %w", err)
	}
	return &reply{res.StatusCode, text, time.Since(start).Milliseconds(), text == received}, nil
}

func inflated(res *http.Response) (string, error) {
	var body io.Reader = res.Body
	var err error
	switch strings.ToLower(res.Header.Get("Content-Encoding")) {
	case "gzip":
		body, err = gzip.NewReader(res.Body)
	case "deflate":
		body, err = zlib.NewReader(res.Body)
	}
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(body, maxReply))
	return string(text), err
}
