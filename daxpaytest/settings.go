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

// Settings are what the operator sets in the gateway's console. Change them with Gateway.Change.
type Settings struct {
	SignType         daxpay.SignType
	ChecksSignatures bool
	// MaxAge is how old a request may be for 2.0.8; nil is no limit.
	MaxAge *time.Duration
	// OrderTimeout is when a payment ends that says nothing itself; nil is a mistake in the settings, which pay fails
	// on.
	OrderTimeout *time.Duration
	// Limit is the greatest amount of a payment in fen; nil is a mistake in the settings, which pay fails on.
	Limit *int64
	// Disabled has the paths of the calls that are switched off.
	Disabled map[string]bool
	Channels map[model.Channel]ChannelSettings
	// Groups are the groups of receivers for allocations, 分账组.
	Groups []Group
	// Wallets are those of the channel wallet_pay.
	Wallets []Wallet
	// Resends says that the job is on that sends a notice once more after 15 seconds. As installed it is off.
	Resends bool
	// NoticeURLs is where the notices of orders without a notifyUrl go, by the path of the call. Only 2.0.6 and 2.0.7
	// have it.
	NoticeURLs map[string]string
	// FinishRegistered says that the call that finishes an allocation is registered in 2.0.6, which as installed it is
	// not.
	FinishRegistered bool
}

// ChannelSettings are those of one channel.
type ChannelSettings struct {
	Enabled bool
	Limit   *int64 // of an amount; nil is a mistake in the settings
	Methods []model.Method
	// Allocation says that payments may be allocated.
	Allocation bool
	AppID      *string // of WeChat
}

// Group is a group of receivers for allocations.
type Group struct {
	GroupNo string
	Channel model.Channel
	Default bool // that is used when a start names no receivers and no group
	Members []GroupMember
}

// GroupMember is a receiver in a group, and its part in 1/10000.
type GroupMember struct {
	ReceiverNo string
	Rate       int64
}

// Wallet is a wallet of the channel wallet_pay.
type Wallet struct {
	ID      int64
	UserID  string
	Balance int64 // fen
}

func ptr[T any](v T) *T { return &v }

// defaultSettings are those of a gateway with everything that the scenarios of testdata/conformance expect.
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

// Settings are the gateway's settings as they are now.
func (g *Gateway) Settings() Settings {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.settings.clone()
}

// Change changes the gateway's settings, as an operator does in the console.
func (g *Gateway) Change(change func(*Settings)) {
	g.mu.Lock()
	defer g.done()
	s := g.settings.clone()
	change(&s)
	g.settings = s
	g.resends.Store(s.Resends)
	g.changes.named("settings", "")
}

// SwitchOff switches the call of a path off.
func (g *Gateway) SwitchOff(path string) {
	g.Change(func(s *Settings) {
		if s.Disabled == nil {
			s.Disabled = make(map[string]bool)
		}
		s.Disabled[path] = true
	})
}

// SwitchOn switches the call of a path on again.
func (g *Gateway) SwitchOn(path string) { g.Change(func(s *Settings) { delete(s.Disabled, path) }) }

// SetChannel changes the settings of a channel.
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

// SetGroup adds a group of receivers, or replaces the one with its number.
func (g *Gateway) SetGroup(group Group) {
	g.Change(func(s *Settings) {
		s.Groups = append(slices.DeleteFunc(s.Groups, func(old Group) bool { return old.GroupNo == group.GroupNo }),
			group)
	})
}

// Option changes a gateway before it starts.
type Option func(*Gateway)

// WithVersion makes the gateway speak as a release does. Default, also for GatewayAuto: 2.0.8.
func WithVersion(v daxpay.GatewayVersion) Option {
	return func(g *Gateway) {
		if v != daxpay.GatewayAuto {
			g.version = v
		}
	}
}

// WithSecret sets the secret. Default: Secret.
func WithSecret(secret string) Option {
	return func(g *Gateway) { g.ChangeSecret(secret) }
}

// WithSettings changes the settings that the gateway starts with.
func WithSettings(change func(*Settings)) Option {
	return func(g *Gateway) { g.starting = append(g.starting, change) }
}

// WithSignType sets the algorithm. Default: daxpay.HMACSHA256.
func WithSignType(t daxpay.SignType) Option {
	return WithSettings(func(s *Settings) { s.SignType = t })
}

// WithoutSignatureCheck makes the gateway take any signature, as one does that was set not to check them. It still
// looks at the time of a request.
func WithoutSignatureCheck() Option {
	return WithSettings(func(s *Settings) { s.ChecksSignatures = false })
}

// WithResends switches on the job that sends a notice once more after 15 seconds when it was not received.
func WithResends() Option {
	return WithSettings(func(s *Settings) { s.Resends = true })
}

// WithClock sets the gateway's clock, which must be safe for concurrent use. Default, also for nil: time.Now. The
// gateway does not notice that such a clock moves: call TimeMoved then if it has notices to send again, or use
// WithTestClock.
func WithClock(now func() time.Time) Option {
	return func(g *Gateway) {
		if now != nil {
			g.now, g.manual = now, true
		}
	}
}

// WithTestClock sets a clock that the test moves. While it runs, the gateway really waits where it has to.
func WithTestClock(c *Clock) Option {
	return func(g *Gateway) {
		if c != nil {
			g.now, g.manual, g.clock = c.Now, true, c
		}
	}
}

// WithChannelTimeout sets how long the gateway really waits for a channel that answers too late. Default: 15 seconds.
// With a clock that does not run by itself it does not wait at all: the test moves the clock.
func WithChannelTimeout(d time.Duration) Option {
	return func(g *Gateway) { g.channelTimeout = d }
}

// WithoutNotices keeps the gateway from sending notices by itself, for tests that deliver them with SendNotice or
// DeliverNotice.
func WithoutNotices() Option {
	return func(g *Gateway) { g.sender.off = true }
}

// WithNoticesAnywhere lets notices go to any host. Without it they are only sent to this machine (loopback addresses),
// so that a test with a URL from production does not call out; a notice for another host counts as not received.
func WithNoticesAnywhere() Option {
	return func(g *Gateway) { g.sender.anywhere = true }
}

// WithFirstNumber makes the numbers that the gateway gives repeatable: those of orders begin with DEV, as those of a
// gateway as installed do, and this is the running number in the first of them; the channel counts from 1. Default:
// three random letters and random running numbers, so that two gateways do not give the same number, and no test can
// rely on one.
func WithFirstNumber(n int) Option {
	return func(g *Gateway) { g.prefix, g.made, g.channel.Numbers = installedPrefix, int64(n)-1, 0 }
}

// WithRequestLog limits how many requests Requests remembers; older ones are forgotten. Default, also for a number
// below 1: all.
func WithRequestLog(most int) Option {
	return func(g *Gateway) { g.mostRequests = most }
}

// WithoutServer makes a gateway that listens nowhere: it is used as an http.Handler.
func WithoutServer() Option {
	return func(g *Gateway) { g.serverless = true }
}

// WithCashier sets what a customer opens to pay: the payBody of a payment by a QR code or a page becomes what the
// function returns for it. base is the scheme and host by which the merchant called the gateway, such as
// http://127.0.0.1:9000. Without it, or if it returns an empty text, they lead nowhere.
func WithCashier(page func(base, orderNo string) string) Option {
	return func(g *Gateway) { g.cashier = page }
}

// number gives the next number of the gateway: the prefix, a letter for the kind, the time in Shanghai, the machine,
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

// randomPrefix is three letters. There are no vowels among them, so that they make no word.
func randomPrefix() string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ"
	var b [3]byte
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))] //nolint:gosec // it protects nothing
	}
	return string(b[:])
}
