package daxpay

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/internal/wire"
)

// Config is what New needs to know. ServiceURL and SignSecret are required; the zero value of every other field stands
// for its default. However a Config is printed, logged, or encoded as JSON or YAML, the secrets do not show. The
// exception is a Config in an unexported field of another struct: fmt does not call its methods there.
//
// A Config can be read from JSON and from YAML, by encoding/json and any YAML package that has methods UnmarshalYAML
// with a func(any) error, as yaml.v2, yaml.v3 and goccy/go-yaml have. The members are the tags of the fields, durations
// are written as "5s" and Location as "Asia/Shanghai". What the file does not have stays as it was; a member that is
// not known is an error. ConfigFromEnv reads the environment.
type Config struct {
	// ServiceURL is where the gateway is, such as "https://pay.example.com". A path prefix and a trailing slash are
	// allowed; user, query and fragment are not. The paths of the calls, such as /unipay/pay, are added to it.
	ServiceURL string `json:"serviceUrl" yaml:"serviceUrl" env:"DAXPAY_URL"`
	// SignSecret is the secret of the gateway's settings (签名秘钥).
	SignSecret string `json:"signSecret" yaml:"signSecret" env:"DAXPAY_SECRET"`
	// PreviousSecrets are secrets that answers and notices may be signed with as well, after the secret was changed: a
	// notice that was signed before can still be sent again, at the latest by the console's button. Set the new secret as
	// SignSecret when the gateway gets it, move the old one here, and take it out when SecretIndex of notices has been 0
	// for a day. No request is signed with them; one that reaches the gateway with the wrong secret is refused without
	// effect (20052). Default: none.
	PreviousSecrets []string `json:"previousSecrets" yaml:"previousSecrets" env:"DAXPAY_PREVIOUS_SECRETS"`
	// SignType is the algorithm of the gateway's settings (签名方式); "hmac-sha256", "SHA256", as the console shows
	// HMACSHA256, and "md5" are understood as well. Default: HMACSHA256.
	SignType SignType `json:"signType" yaml:"signType" env:"DAXPAY_SIGN_TYPE"`
	// Gateway pins the gateway's version; "auto", "v2.0.8" and "208" are understood as well. Default: GatewayAuto.
	Gateway GatewayVersion `json:"gateway" yaml:"gateway" env:"DAXPAY_GATEWAY"`
	// ClientIP is the ClientIP of every request that has none (客户端IP). Default: none.
	ClientIP string `json:"clientIp" yaml:"clientIp" env:"DAXPAY_CLIENT_IP"`
	// Timeout limits a call with all its attempts, in addition to the context. Default: 30 seconds.
	Timeout time.Duration `json:"timeout" yaml:"timeout" env:"DAXPAY_TIMEOUT"`
	// Location is the zone in which the gateway prints the few times that it sends as text. Default: Chinese time, UTC+8.
	Location *time.Location `json:"location" yaml:"location" env:"DAXPAY_LOCATION"`
	// MaxAge is how far the time of an answer (resTime) may be from now, in either direction. Default: 5 minutes.
	// Negative: not checked, so that a recorded answer can be sent again.
	MaxAge time.Duration `json:"maxAge" yaml:"maxAge" env:"DAXPAY_MAX_AGE"`
	// CorrectClock stamps requests with the gateway's time, learned from verified answers, where this machine's clock is
	// off: gateway 2.0.8 refuses requests that are more than 10 seconds old, or 60 ahead. It cannot learn from refusals,
	// which are not signed, so a clock that is too far behind from the start stays refused: GatewayError.ClockDifference
	// says how far. MaxAge is measured with this machine's clock all the same. Default: false; a machine with NTP does not
	// need it.
	CorrectClock bool `json:"correctClock" yaml:"correctClock" env:"DAXPAY_CORRECT_CLOCK"`
	// Retry says how often and when a call is sent again. Its zero value is good: what may be repeated is sent up to 3
	// times.
	Retry Retry `json:"retry" yaml:"retry"`
	// MaxAnswerSize limits an answer in bytes, after decompression. Default: 1 MiB.
	MaxAnswerSize int64 `json:"maxAnswerSize" yaml:"maxAnswerSize" env:"DAXPAY_MAX_ANSWER_SIZE"`
	// MaxDepth limits how many objects and lists stand inside one another in an answer or a notice. Default: 32.
	MaxDepth int `json:"maxDepth" yaml:"maxDepth" env:"DAXPAY_MAX_DEPTH"`
	// AttemptTimeout limits one attempt of a call that may be sent again, so that there is time for another. A call that
	// may not waits for the whole of Timeout: the gateway gives its channel 15 seconds and answers then, so a shorter wait
	// would leave the outcome unknown. Default: 20 seconds. What is left of Timeout limits it.
	AttemptTimeout time.Duration `json:"attemptTimeout" yaml:"attemptTimeout" env:"DAXPAY_ATTEMPT_TIMEOUT"`
	// MaxHeaderSize limits the header of an answer in bytes; a larger one is a *TransportError. Default: 64 KiB. It is a
	// matter of the transport, and so are the next two: they have no effect on one of your own.
	MaxHeaderSize int64 `json:"maxHeaderSize" yaml:"maxHeaderSize" env:"DAXPAY_MAX_HEADER_SIZE"`
	// MaxIdleConns is how many connections are kept for the next calls. Default: as many as there were calls at once.
	MaxIdleConns int `json:"maxIdleConns" yaml:"maxIdleConns" env:"DAXPAY_MAX_IDLE_CONNS"`
	// IdleConnTimeout is how long an idle connection is kept. It must be less than what the server or a proxy before it
	// allows, which is 60 seconds or more as a rule: a connection that they close at the moment of a send leaves the
	// outcome of the call unknown. A call that must go out once (param.EffectOnce) uses no connection that was idle for
	// more than 3 seconds. Default: 45 seconds.
	IdleConnTimeout time.Duration `json:"idleConnTimeout" yaml:"idleConnTimeout" env:"DAXPAY_IDLE_CONN_TIMEOUT"`
	// TrustedNetwork says that nobody is on the line to a gateway that ServiceURL names with http. A refusal names no
	// order, so that somebody on the line could put a recorded one in the place of the answer to a transfer, which was
	// paid. Without HTTPS, a loopback address or TrustedNetwork, a refused transfer is therefore ErrOutcomeUnknown.
	// Default: false.
	TrustedNetwork bool `json:"trustedNetwork" yaml:"trustedNetwork" env:"DAXPAY_TRUSTED_NETWORK"`
	// AllowAmbiguousText accepts texts in which "&", the name of a member and "=" follow one another. Someone could cut
	// such a text so that it becomes a member without breaking the signature; set it only to read orders that have such
	// texts already. Default: they are refused, with ErrAmbiguous or ErrParam.
	AllowAmbiguousText bool `json:"allowAmbiguousText" yaml:"allowAmbiguousText" env:"DAXPAY_ALLOW_AMBIGUOUS_TEXT"`
	// Now is the clock, for tests. Default: time.Now.
	Now func() time.Time `json:"-" yaml:"-"`
	// HTTPClient is copied, and the copy follows no redirects. Its Transport is used as it is: set it for a proxy, for own
	// certificates, or to httpmock's in a test. It must not send a request again by itself, as retryablehttp does: a call
	// that may not be sent again is stopped at the second send, and its outcome is unknown. A Transport that does not
	// support httptrace hides whether a request was written; every failure then counts as sent, and a second send is not
	// noticed. HTTP/2, if it has that, leaves more outcomes unknown: net/http cannot tell what the server has seen when it
	// goes away, and one dead connection fails many calls. net/http prints bytes that answer nothing, such as those that
	// follow an answer, to the standard logger. Default, also for a nil Transport: one of HTTP/1.1 that keeps
	// enough connections for concurrent calls.
	HTTPClient *http.Client `json:"-" yaml:"-"`
	// OnceStore remembers the numbers of calls that must go out once (param.EffectOnce), transfers and wallet payments
	// among them: the gateway would pay a number again. A number is recorded before the first byte is sent, and never
	// expires; it is free again only when it is proved that nothing happened, or by ForgetTransfer. A second send is
	// ErrDuplicate, and not sent. Nor is anything while the store does not answer: that is a *TransportError with
	// NeverSent. Share a store between processes, and over restarts, by contrib/sqlstore or contrib/redisstore; the Redis
	// must not evict (maxmemory-policy noeviction) and must persist. Default: NewMemoryStore(0) of this client's own,
	// which refuses after 100,000 transfers and forgets them when the process ends: Doctor warns of it.
	OnceStore OnceStore `json:"-" yaml:"-"`
	// StoreName stands for the gateway in the keys of a store, so that one store can serve several gateways. All processes
	// that share a store must agree on it, and what a store holds is not found under another name. So set it if they
	// reach the gateway by different URLs, or before you change ServiceURL. Default: ServiceURL.
	StoreName string `json:"storeName" yaml:"storeName" env:"DAXPAY_STORE_NAME"`
	// Logger gets a line for every attempt: path, codes, cause, duration and trace id; and one for every notice: kind,
	// numbers, status of the reply, and why it was not received. No line holds another member of a message. What went well
	// is at slog.LevelDebug, a call that failed and a notice that is not received at slog.LevelWarn. Default: silent, but
	// for notices that are not received, of which slog.Default() is told.
	Logger *slog.Logger `json:"-" yaml:"-"`
	// Observer is told of every call and attempt, for traces and metrics: see contrib/otel. Default: none.
	Observer Observer `json:"-" yaml:"-"`
}

// The defaults of Config.
const (
	defaultTimeout         = 30 * time.Second
	defaultAttemptTimeout  = 20 * time.Second
	defaultIdleConnTimeout = 45 * time.Second
	defaultMaxAge          = 5 * time.Minute
	defaultMaxAnswerSize   = 1 << 20
	defaultMaxHeaderSize   = 64 << 10
	maxMaxDepth            = 1000 // deeper than any message, and far from where recursion hurts
)

// GatewayVersion is a release of the gateway.
type GatewayVersion string

// The versions of the gateway.
//
// GatewayAuto first uses the encoding of the interface documents. If the gateway refuses the signature or the members,
// which it checks before it does anything, the call goes out again as 2.0.8 encodes it, then as 2.0.7 does, where that
// makes a difference. The client remembers which was accepted; pinning the version saves these attempts. 2.0.6 and
// older ones must be pinned, because their paths are others, and so must a gateway that was set not to check
// signatures: it accepts the first encoding and passes over the members that it does not know.
const (
	GatewayAuto GatewayVersion = ""
	GatewayV205 GatewayVersion = "2.0.5" // and before; only the two legacy calls, whose answers are not signed
	GatewayV206 GatewayVersion = "2.0.6"
	GatewayV207 GatewayVersion = "2.0.7"
	GatewayV208 GatewayVersion = "2.0.8"
)

func (v GatewayVersion) String() string {
	if v == GatewayAuto {
		return "auto"
	}
	return string(v)
}

// pinned finds the version in the table; false for GatewayAuto and for what is none.
func (v GatewayVersion) pinned() (gateway.Version, bool) {
	for known := gateway.V205; known <= gateway.V208; known++ {
		if known.String() == string(v) {
			return known, true
		}
	}
	return gateway.Printed, false
}

// spelled finds the version that is meant, such as by "v2.0.8"; false if it is none.
func (v GatewayVersion) spelled() (GatewayVersion, bool) {
	text := strings.ReplaceAll(strings.ToLower(string(v)), ".", "")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "gateway"), "v")
	if text == "" || text == "auto" {
		return GatewayAuto, v == GatewayAuto || text == "auto"
	}
	for known := gateway.V205; known <= gateway.V208; known++ {
		if strings.ReplaceAll(known.String(), ".", "") == text {
			return GatewayVersion(known.String()), true
		}
	}
	return v, false
}

// given quotes a setting that is wrong, to end the text that says so. It does not quote what may be a secret in the
// wrong place: what is longer than any mistyped setting, and anything while the secret is missing, or is what belongs
// into another field.
func given(value string, secrets []string) string {
	const longest = 16
	if len(value) > longest || slices.Contains(secrets, value) || strings.TrimSpace(secrets[0]) == "" {
		return ""
	}
	_, algorithm := SignType(secrets[0]).spelled()
	_, version := GatewayVersion(secrets[0]).spelled()
	if algorithm || version || strings.Contains(secrets[0], "://") {
		return ""
	}
	return fmt.Sprintf(", not %q", value)
}

// withDefaults returns the Config with every default filled in, or all mistakes in it.
func (cfg Config) withDefaults() (Config, error) {
	var faults []error
	fault := func(field, reason string) {
		faults = append(faults, &ConfigError{Field: field, Reason: reason})
	}
	if reason := checkURL(cfg.ServiceURL); reason != "" {
		fault("ServiceURL", reason)
	}
	cfg.ServiceURL = strings.TrimRight(cfg.ServiceURL, "/")
	secrets := append([]string{cfg.SignSecret}, cfg.PreviousSecrets...)
	signType, _, signFaults := checkSigning(cmp.Or(cfg.SignType, HMACSHA256), secrets)
	cfg.SignType, faults = signType, append(faults, signFaults...)
	cfg.checkSecrets(fault)
	if version, ok := cfg.Gateway.spelled(); ok {
		cfg.Gateway = version
	} else {
		fault("Gateway", "must be auto, 2.0.5, 2.0.6, 2.0.7 or 2.0.8"+given(string(cfg.Gateway), secrets))
	}
	if cfg.ClientIP != "" {
		if a, err := netip.ParseAddr(cfg.ClientIP); err != nil || a.Zone() != "" {
			fault("ClientIP", "must be an IPv4 or IPv6 address")
		}
	}
	if cfg.CorrectClock && cfg.MaxAge < 0 {
		fault("CorrectClock", "needs MaxAge: without it, an old answer that somebody sends again could set the clock")
	}
	cfg.checkLimits(fault)
	cfg.Retry = cfg.Retry.withDefaults(fault)
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	cfg.AttemptTimeout = cmp.Or(cfg.AttemptTimeout, defaultAttemptTimeout)
	cfg.IdleConnTimeout = cmp.Or(cfg.IdleConnTimeout, defaultIdleConnTimeout)
	cfg.MaxAge = cmp.Or(cfg.MaxAge, defaultMaxAge)
	cfg.MaxAnswerSize = cmp.Or(cfg.MaxAnswerSize, defaultMaxAnswerSize)
	cfg.MaxDepth = cmp.Or(cfg.MaxDepth, wire.MaxDepth)
	cfg.MaxHeaderSize = cmp.Or(cfg.MaxHeaderSize, defaultMaxHeaderSize)
	cfg.MaxIdleConns = cmp.Or(cfg.MaxIdleConns, math.MaxInt32)
	cfg.StoreName = cmp.Or(cfg.StoreName, storeName(cfg.ServiceURL))
	cfg.Location = cmp.Or(cfg.Location, beijing)
	if isNil(cfg.OnceStore) {
		cfg.OnceStore = NewMemoryStore(0)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return cfg, errors.Join(faults...)
}

// checkSecrets finds what is wrong with the secrets besides what NewSigner refuses too.
func (cfg *Config) checkSecrets(fault func(field, reason string)) {
	switch trimmed := strings.TrimSpace(cfg.SignSecret); {
	case !isUTF8(cfg.SignSecret):
		fault("SignSecret", "must be valid UTF-8")
	case trimmed != "" && trimmed != cfg.SignSecret:
		fault("SignSecret", "must not have white space or a line break around it")
	case cfg.SignSecret == masked:
		fault("SignSecret", "is what this package prints instead of a secret: a Config was printed and read again")
	}
	for i, secret := range cfg.PreviousSecrets {
		field := fmt.Sprintf("PreviousSecrets[%d]", i)
		switch {
		case strings.TrimSpace(secret) == "":
			fault(field, "must not be empty")
		case !isUTF8(secret):
			fault(field, "must be valid UTF-8")
		case strings.TrimSpace(secret) != secret:
			fault(field, "must not have white space or a line break around it")
		case secret == masked:
			fault(field, "is what this package prints instead of a secret: a Config was printed and read again")
		case secret == cfg.SignSecret:
			fault(field, "is SignSecret itself: it should be the secret that the gateway had before")
		case slices.Contains(cfg.PreviousSecrets[:i], secret):
			fault(field, "is given twice")
		}
	}
}

// isUTF8 tells whether a text is, and was before encoding/json read it, which puts U+FFFD where it was not.
func isUTF8(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsRune(text, utf8.RuneError)
}

// checkLimits finds durations and sizes that make no sense.
func (cfg *Config) checkLimits(fault func(field, reason string)) {
	for _, t := range []struct {
		field string
		value time.Duration
	}{{"Timeout", cfg.Timeout}, {"AttemptTimeout", cfg.AttemptTimeout}, {"IdleConnTimeout", cfg.IdleConnTimeout}} {
		switch {
		case t.value < 0:
			fault(t.field, "must not be negative")
		case t.value > 0 && t.value < time.Millisecond:
			fault(t.field, fmt.Sprintf("is %v: give it a unit, such as 30*time.Second", t.value))
		}
	}
	for _, n := range []struct {
		field string
		value int64
	}{
		{"MaxAnswerSize", cfg.MaxAnswerSize}, {"MaxHeaderSize", cfg.MaxHeaderSize}, {"MaxIdleConns", int64(cfg.MaxIdleConns)},
	} {
		if n.value < 0 {
			fault(n.field, "must not be negative")
		}
	}
	if cfg.MaxDepth < 0 || cfg.MaxDepth > maxMaxDepth {
		fault("MaxDepth", fmt.Sprintf("must be between 1 and %d", maxMaxDepth))
	}
}

// line is what is known of the line to the gateway.
type line int

const (
	lineOpen       line = iota // anyone can be on it
	lineEncrypted              // https
	lineUnverified             // https, but of any certificate
	lineDeclared               // Config.TrustedNetwork
	lineLocal                  // within this machine
	lineProxied                // that would be, but for a proxy
)

// isTrusted tells whether nobody can be on the line.
func (l line) isTrusted() bool { return l == lineEncrypted || l == lineDeclared || l == lineLocal }

func (cfg Config) line() line {
	u, err := url.Parse(cfg.ServiceURL)
	if err != nil {
		return lineOpen // which checkURL refuses
	}
	ip, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	switch {
	case u.Scheme == "https" && !cfg.skipsVerification():
		return lineEncrypted
	case cfg.TrustedNetwork:
		return lineDeclared
	case u.Scheme == "https":
		return lineUnverified
	case !local:
		return lineOpen
	case cfg.usesProxy(u):
		return lineProxied
	}
	return lineLocal
}

// skipsVerification tells whether the caller's transport takes any certificate.
func (cfg Config) skipsVerification() bool {
	if cfg.HTTPClient == nil {
		return false
	}
	transport, ok := cfg.HTTPClient.Transport.(*http.Transport)
	return ok && transport.TLSClientConfig != nil && transport.TLSClientConfig.InsecureSkipVerify
}

// usesProxy tells whether requests to the URL go through a proxy. net/http's own choice has none for loopback
// addresses.
func (cfg Config) usesProxy(u *url.URL) bool {
	if cfg.HTTPClient == nil {
		return false
	}
	transport, ok := cfg.HTTPClient.Transport.(*http.Transport)
	if !ok || transport.Proxy == nil {
		return false
	}
	proxy, err := transport.Proxy(&http.Request{Method: http.MethodPost, URL: u, Header: http.Header{}})
	return err != nil || proxy != nil
}

// storeName is the URL without what can be written in several ways: a spelling must not free the numbers of payouts.
func storeName(serviceURL string) string {
	u, err := url.Parse(serviceURL)
	if err != nil {
		return serviceURL // which checkURL refuses
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		return u.Scheme + "://" + host + u.Path
	}
	return u.Scheme + "://" + host + ":" + port + u.Path
}

func checkURL(s string) string {
	if s == "" {
		return "must be set, such as https://pay.example.com"
	}
	u, err := url.Parse(s)
	switch {
	case strings.TrimSpace(s) != s:
		return "must not have white space around it"
	case !strings.Contains(s, "://"):
		return "must start with http:// or https://"
	case err != nil:
		return "is not a URL such as https://pay.example.com"
	case u.Scheme != "http" && u.Scheme != "https":
		return "must start with http:// or https://"
	case u.Hostname() == "":
		return "has no host"
	case u.User != nil:
		return "must not hold a user or a password"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		return "must not have a query or a fragment"
	}
	return ""
}

// masked is printed for a secret.
const masked = "***"

// address is ServiceURL without what may be secret in it.
func (cfg Config) address() string {
	u, err := url.Parse(cfg.ServiceURL)
	if err != nil {
		return "(not a URL)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

func (cfg Config) attrs() []slog.Attr {
	secret := ""
	if cfg.SignSecret != "" {
		secret = masked
	}
	return []slog.Attr{
		slog.String("ServiceURL", cfg.address()),
		slog.String("SignSecret", secret),
		slog.String("SignType", string(cfg.SignType)),
		slog.String("Gateway", cfg.Gateway.String()),
		slog.String("ClientIP", cfg.ClientIP),
		slog.Duration("Timeout", cfg.Timeout),
		slog.Duration("MaxAge", cfg.MaxAge),
		slog.Int("MaxAttempts", cfg.Retry.MaxAttempts),
		slog.Int("PreviousSecrets", len(cfg.PreviousSecrets)),
	}
}

// LogValue implements slog.LogValuer, without the secret.
func (cfg Config) LogValue() slog.Value { return slog.GroupValue(cfg.attrs()...) }

// Format implements fmt.Formatter for every verb, without the secret.
func (cfg Config) Format(f fmt.State, _ rune) { formatAttrs(f, "daxpay.Config", cfg.attrs()) }

func formatAttrs(f fmt.State, name string, attrs []slog.Attr) {
	fmt.Fprint(f, name, "{")
	for i, a := range attrs {
		if i > 0 {
			fmt.Fprint(f, " ")
		}
		fmt.Fprint(f, a.Key, ":", a.Value)
	}
	fmt.Fprint(f, "}")
}

func marshalAttrs(attrs []slog.Attr) ([]byte, error) {
	values := make(map[string]string, len(attrs))
	for _, a := range attrs {
		values[a.Key] = a.Value.String()
	}
	return json.Marshal(values)
}
