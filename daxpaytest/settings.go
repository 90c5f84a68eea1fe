package daxpaytest

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
)

// The channels.
const (
	channelAli    = string(model.ChannelAli)
	channelWeChat = "wechat_pay"
	channelUnion  = "union_pay"
	channelWallet = "wallet_pay"
)

// Settings are what the operator sets in the gateway's console. Change them with WithSettings or Gateway.Change. The
// comments name the values with which a gateway starts.
type Settings struct {
	// SignType is the algorithm of all signatures (签名方式). Default: daxpay.HMACSHA256.
	SignType daxpay.SignType
	// ChecksSignatures: the gateway checks the signatures of requests. Default: true.
	ChecksSignatures bool
	// MaxAge is how old a request may be; nil means no limit. Only 2.0.8 checks it. Default: 10 seconds.
	MaxAge *time.Duration
	// OrderTimeout is after what time a payment expires that has no expiredTime of its own. With nil, an incomplete
	// setting, pay fails. Default: 30 minutes.
	OrderTimeout *time.Duration
	// Limit is the greatest amount of a payment in fen. With nil, an incomplete setting, pay fails. Default:
	// 2147483647.
	Limit *int64
	// Disabled has the paths of the calls that are switched off: see SwitchOff.
	Disabled map[string]bool
	// Channels are the settings of the payment channels. Default: Alipay and the wallet are enabled, WeChat and
	// UnionPay are not.
	Channels map[model.Channel]ChannelSettings
	// Groups are the groups of receivers for allocations (分账组). Default: none.
	Groups []Group
	// Wallets are the wallets of the channel wallet_pay. Default: u1 with 100000 fen, and u2 with 100.
	Wallets []Wallet
	// Resends switches on the job that sends a notice again that was not received: once, after 15 seconds; 2.0.6 up to
	// three times in a row, after 25 seconds. Default: off, as installed.
	Resends bool
	// NoticeURLs are the addresses for the notices of orders without a notifyUrl, by the path of the call that makes
	// the order. Only 2.0.6 and 2.0.7 have it.
	NoticeURLs map[string]string
	// FinishRegistered: 2.0.6 knows the call that finishes an allocation. As installed it does not.
	FinishRegistered bool
}

// ChannelSettings are the settings of one channel.
type ChannelSettings struct {
	Enabled    bool
	Limit      *int64         // the greatest amount in fen; with nil, an incomplete setting, pay fails
	Methods    []model.Method // that may be used
	Allocation bool           // payments may be allocated
	AppID      *string        // of WeChat; without it the assist calls fail
}

// Group is a group of receivers for allocations.
type Group struct {
	GroupNo string
	Channel model.Channel
	Default bool // it is used if a request names neither receivers nor a group
	Members []GroupMember
}

// GroupMember is a receiver in a group.
type GroupMember struct {
	ReceiverNo string
	Rate       int64 // its part of the payment in 1/10000, 分账比例
}

// Wallet is a wallet of the channel wallet_pay.
type Wallet struct {
	ID      int64
	UserID  string
	Balance int64 // fen
}

func ptr[T any](v T) *T { return &v }

// defaultSettings are the settings that the scenarios of testdata/conformance start with.
func defaultSettings(v daxpay.GatewayVersion) Settings {
	none := ptr(int64(math.MaxInt32))
	ali := []model.Method{"wap", "app", "web", "qrcode", "barcode", "jsapi"}
	if v != daxpay.GatewayV208 {
		ali = ali[:5]
	}
	return Settings{
		SignType:         daxpay.HMACSHA256,
		ChecksSignatures: true,
		MaxAge:           ptr(10 * time.Second),
		OrderTimeout:     ptr(30 * time.Minute),
		Limit:            none,
		Channels: map[model.Channel]ChannelSettings{
			model.ChannelAli: {Enabled: true, Limit: none, Methods: ali, Allocation: true},
			channelWallet:    {Enabled: true, Limit: none, Methods: []model.Method{"normal"}},
			channelWeChat: {Limit: none, Methods: []model.Method{"wap", "app", "jsapi", "qrcode", "barcode"},
				Allocation: true},
			channelUnion: {Limit: none, Methods: []model.Method{"wap", "app", "web", "jsapi", "qrcode", "barcode"}},
		},
		Wallets: []Wallet{{1000000000000000001, "u1", 100000}, {1000000000000000002, "u2", 100}},
	}
}

func (s Settings) clone() Settings {
	s.Disabled = maps.Clone(s.Disabled)
	s.Channels = maps.Clone(s.Channels)
	for name, c := range s.Channels {
		c.Methods = slices.Clone(c.Methods)
		s.Channels[name] = c
	}
	s.Groups = slices.Clone(s.Groups)
	s.Wallets = slices.Clone(s.Wallets)
	s.NoticeURLs = maps.Clone(s.NoticeURLs)
	return s
}

// Settings returns a copy of the gateway's present settings.
func (g *Gateway) Settings() Settings {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.settings.clone()
}

// Change changes the gateway's settings, as an operator does in the console. change gets a copy, which then takes
// effect as a whole. It must not call the gateway.
func (g *Gateway) Change(change func(*Settings)) {
	g.mu.Lock()
	defer g.done()
	s := g.settings.clone()
	change(&s)
	g.settings = s
	g.resends.Store(s.Resends)
	g.changes.named("settings", "")
}

// SwitchOff switches off the call with a path, such as "/unipay/refund". The gateway then refuses it.
func (g *Gateway) SwitchOff(path string) {
	g.Change(func(s *Settings) {
		if s.Disabled == nil {
			s.Disabled = make(map[string]bool)
		}
		s.Disabled[path] = true
	})
}

// SwitchOn switches the call with a path on again.
func (g *Gateway) SwitchOn(path string) { g.Change(func(s *Settings) { delete(s.Disabled, path) }) }

// SetChannel changes the settings of one channel. change must not call the gateway.
func (g *Gateway) SetChannel(name model.Channel, change func(*ChannelSettings)) {
	g.Change(func(s *Settings) {
		c := s.Channels[name]
		change(&c)
		if s.Channels == nil {
			s.Channels = make(map[model.Channel]ChannelSettings)
		}
		s.Channels[name] = c
	})
}

// SetGroup adds a group of receivers, or replaces the group with its number.
func (g *Gateway) SetGroup(group Group) {
	g.Change(func(s *Settings) {
		s.Groups = append(slices.DeleteFunc(s.Groups, func(old Group) bool { return old.GroupNo == group.GroupNo }),
			group)
	})
}

// Option is an option of New and Start.
type Option func(*Gateway)

// WithVersion makes the gateway behave as a release. Default, also for daxpay.GatewayAuto: 2.0.8.
func WithVersion(v daxpay.GatewayVersion) Option {
	return func(g *Gateway) {
		if v != daxpay.GatewayAuto {
			g.version = v
		}
	}
}

// WithSecret sets the secret (签名密钥). Default: Secret.
func WithSecret(secret string) Option {
	return func(g *Gateway) { g.ChangeSecret(secret) }
}

// WithSettings changes the settings with which the gateway starts. It may be given several times. change must not call
// the gateway.
func WithSettings(change func(*Settings)) Option {
	return func(g *Gateway) { g.starting = append(g.starting, change) }
}

// WithSignType sets the algorithm of all signatures. Default: daxpay.HMACSHA256.
func WithSignType(t daxpay.SignType) Option {
	return WithSettings(func(s *Settings) { s.SignType = t })
}

// WithoutSignatureCheck makes the gateway accept any signature, as it does if its operator has switched the check off.
// It still checks the time of a request.
func WithoutSignatureCheck() Option {
	return WithSettings(func(s *Settings) { s.ChecksSignatures = false })
}

// WithResends switches on Settings.Resends: a notice that was not received is sent again.
func WithResends() Option {
	return WithSettings(func(s *Settings) { s.Resends = true })
}

// WithClock sets the gateway's clock, which must be safe for concurrent use. Default, also for nil: time.Now. The
// gateway does not notice when such a clock moves: call TimeMoved if notices become due by that, or use WithTestClock.
func WithClock(now func() time.Time) Option {
	return func(g *Gateway) {
		if now != nil {
			g.now, g.manual = now, true
		}
	}
}

// WithTestClock sets a clock that the test moves. Default, also for nil: the system's. While the clock stands still,
// the gateway does not wait for a channel that times out; while it runs, it does.
func WithTestClock(c *Clock) Option {
	return func(g *Gateway) {
		if c != nil {
			g.now, g.manual, g.clock = c.Now, true, c
		}
	}
}

// WithChannelTimeout sets how long the gateway waits, in real time, for a channel that answers too late. Default: 15
// seconds. If its clock stands still, the gateway does not wait: the test moves the clock.
func WithChannelTimeout(d time.Duration) Option {
	return func(g *Gateway) { g.channelTimeout = d }
}

// WithoutNotices keeps the gateway from sending notices by itself. It is for tests that send them with SendNotice or
// DeliverNotice.
func WithoutNotices() Option {
	return func(g *Gateway) { g.sender.off = true }
}

// WithNoticesAnywhere lets the gateway send notices to any host. Without it notices go to loopback addresses only, and
// a notice for another host counts as not received: a test with a URL from production sends nothing there.
func WithNoticesAnywhere() Option {
	return func(g *Gateway) { g.sender.anywhere = true }
}

// WithFirstNumber makes the numbers that the gateway gives repeatable. Numbers of orders then begin with DEV, as with a
// gateway as installed, and n is the running number in the first of them; the channel counts from 1. Default: numbers
// begin with three random letters and count from random numbers, so that the numbers of two gateways differ and no test
// can rely on one.
func WithFirstNumber(n int) Option {
	return func(g *Gateway) { g.prefix, g.made, g.channel.Numbers = installedPrefix, int64(n)-1, 0 }
}

// WithRequestLog limits Requests to the newest most requests. Default, also for a number below 1: no limit.
func WithRequestLog(most int) Option {
	return func(g *Gateway) { g.mostRequests = most }
}

// WithoutServer makes a gateway that does not listen. Use it as an http.Handler or an http.RoundTripper.
func WithoutServer() Option {
	return func(g *Gateway) { g.serverless = true }
}

// WithCashier sets the page (收银台) that a customer opens to pay: page returns the payBody of a payment by QR code or by
// the methods wap and web. base is the scheme and host by which the merchant called the gateway, such as
// http://127.0.0.1:9000. Without it, or if page returns an empty text, the payBody leads nowhere.
func WithCashier(page func(base, orderNo string) string) Option {
	return func(g *Gateway) { g.cashier = page }
}

// number returns the next number of the gateway: the prefix, a letter for the kind, the time in Shanghai, the machine,
// and a running number.
func (g *Gateway) number(kind string) string {
	g.made++
	return fmt.Sprintf("%s%s%s%s%06d", g.prefix, kind, g.now().In(g.zone).Format("060102150405"), machine,
		g.made%1_000_000)
}

const (
	installedPrefix = "DEV"
	machine         = "63"
)

// randomPrefix returns three letters, no vowels, so that they make no word.
func randomPrefix() string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ"
	var b [3]byte
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))] //nolint:gosec // it protects nothing
	}
	return string(b[:])
}
