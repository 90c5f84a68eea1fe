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

// Config is the configuration of a Client. ServiceURL and SignSecret are required; the zero value of every other field
// selects its default. However a Config is printed, logged, or encoded as JSON or YAML, its secrets are masked. The
// exception is a Config in an unexported field of another struct: fmt does not call its methods there.
//
// A Config can be decoded from JSON by encoding/json, and from YAML by any package that calls methods
// UnmarshalYAML(func(any) error), as yaml.v2, yaml.v3 and goccy/go-yaml do. The struct tags give the names; durations
// are written as "5s" and Location as "Asia/Shanghai". Fields that the file does not mention keep their values; an
// unknown name is an error. ConfigFromEnv reads environment variables.
type Config struct {
	// ServiceURL is the address of the gateway, such as "https://pay.example.com". A path prefix and a trailing slash
	// are allowed; user, query and fragment are not. The paths of the calls, such as /unipay/pay, are appended to it.
	ServiceURL string `json:"serviceUrl" yaml:"serviceUrl" env:"DAXPAY_URL"`
	// SignSecret is the secret in the gateway's settings (签名秘钥).
	SignSecret string `json:"signSecret" yaml:"signSecret" env:"DAXPAY_SECRET"`
	// PreviousSecrets are further secrets that answers and notices may be signed with, for the time after a change of
	// secret: the gateway can resend a notice that was signed before the change, for instance by the console's button.
	// When the gateway gets a new secret, set it as SignSecret and move the old one here. Remove the old one when
	// SecretIndex of notices has been 0 for a day. Requests are signed with SignSecret only; the gateway refuses a
	// request signed with the wrong secret without effect (20052). Default: none.
	PreviousSecrets []string `json:"previousSecrets" yaml:"previousSecrets" env:"DAXPAY_PREVIOUS_SECRETS"`
	// SignType is the signature algorithm in the gateway's settings (签名方式). "hmac-sha256", "md5" and the console's
	// "SHA256" are understood as well. Default: HMACSHA256.
	SignType SignType `json:"signType" yaml:"signType" env:"DAXPAY_SIGN_TYPE"`
	// Gateway pins the gateway's version; "auto", "v2.0.8" and "208" are understood as well. Default: GatewayAuto.
	Gateway GatewayVersion `json:"gateway" yaml:"gateway" env:"DAXPAY_GATEWAY"`
	// ClientIP is sent in requests that set no ClientIP of their own (客户端IP). Default: none.
	ClientIP string `json:"clientIp" yaml:"clientIp" env:"DAXPAY_CLIENT_IP"`
	// Timeout limits a call with all its attempts, as the context does. Default: 30 seconds.
	Timeout time.Duration `json:"timeout" yaml:"timeout" env:"DAXPAY_TIMEOUT"`
	// Location is the gateway's time zone. It matters for the few times that the gateway sends as text. Default:
	// Chinese time, UTC+8.
	Location *time.Location `json:"location" yaml:"location" env:"DAXPAY_LOCATION"`
	// MaxAge is how far the time of an answer (resTime) may be from now, in either direction. Default: 5 minutes.
	// Negative: not checked; anyone on the connection can then replay a recorded answer.
	MaxAge time.Duration `json:"maxAge" yaml:"maxAge" env:"DAXPAY_MAX_AGE"`
	// CorrectClock stamps requests with the gateway's time, learned from verified answers, when this machine's clock is
	// wrong: gateway 2.0.8 refuses requests that are more than 10 seconds old or more than 60 seconds ahead. Refusals
	// are not signed, so the client cannot learn from them: if the clock is too far behind from the start, every
	// request is refused, and GatewayError.ClockDifference says by how much. MaxAge is always measured with this
	// machine's clock. Default: false; a machine with NTP does not need it.
	CorrectClock bool `json:"correctClock" yaml:"correctClock" env:"DAXPAY_CORRECT_CLOCK"`
	// Retry says how often and when a call is sent again. By its zero value, calls that may be repeated are sent up to
	// 3 times.
	Retry Retry `json:"retry" yaml:"retry"`
	// MaxAnswerSize limits an answer in bytes, after decompression. Default: 1 MiB.
	MaxAnswerSize int64 `json:"maxAnswerSize" yaml:"maxAnswerSize" env:"DAXPAY_MAX_ANSWER_SIZE"`
	// MaxDepth limits how deep objects and lists are nested in an answer or a notice, at most 1000. Default: 32.
	MaxDepth int `json:"maxDepth" yaml:"maxDepth" env:"DAXPAY_MAX_DEPTH"`
	// AttemptTimeout limits one attempt of a call that may be repeated, so that there is time for another. A call that
	// may not be repeated can use all of Timeout: the gateway waits up to 15 seconds for its channel before it answers,
	// so a shorter wait would leave the outcome unknown. Default: 20 seconds. It never exceeds what is left of Timeout.
	AttemptTimeout time.Duration `json:"attemptTimeout" yaml:"attemptTimeout" env:"DAXPAY_ATTEMPT_TIMEOUT"`
	// MaxHeaderSize limits the header of an answer in bytes; a larger one is a *TransportError. Default: 64 KiB.
	// MaxHeaderSize, MaxIdleConns and IdleConnTimeout configure the built-in transport only, not that of HTTPClient.
	MaxHeaderSize int64 `json:"maxHeaderSize" yaml:"maxHeaderSize" env:"DAXPAY_MAX_HEADER_SIZE"`
	// MaxIdleConns limits how many idle connections are kept. Default: no limit.
	MaxIdleConns int `json:"maxIdleConns" yaml:"maxIdleConns" env:"DAXPAY_MAX_IDLE_CONNS"`
	// IdleConnTimeout is how long an idle connection is kept. It must be shorter than what the server, or a proxy in
	// front of it, allows, which is usually 60 seconds or more: if they close a connection just as a request is sent,
	// the outcome of the call is unknown. Calls that must be sent only once (param.EffectOnce) never use a connection
	// that was idle for more than 3 seconds. Default: 45 seconds.
	IdleConnTimeout time.Duration `json:"idleConnTimeout" yaml:"idleConnTimeout" env:"DAXPAY_IDLE_CONN_TIMEOUT"`
	// TrustedNetwork says that no one can tamper with the connection, although ServiceURL is an http URL, or the
	// Transport does not verify certificates. A refusal does not name the order. Someone on the connection could replay
	// a recorded refusal in place of the answer to a transfer that was paid. Without verified HTTPS, a loopback address
	// or TrustedNetwork, a refused transfer is therefore ErrOutcomeUnknown. Default: false.
	TrustedNetwork bool `json:"trustedNetwork" yaml:"trustedNetwork" env:"DAXPAY_TRUSTED_NETWORK"`
	// AllowAmbiguousText accepts texts that contain "&", the name of a member, and "=" in a row. Someone on the
	// connection could cut such a text so that part of it becomes a member, without breaking the signature. Set it only
	// to read existing orders with such texts. Default: they are refused, with ErrAmbiguous or ErrParam.
	AllowAmbiguousText bool `json:"allowAmbiguousText" yaml:"allowAmbiguousText" env:"DAXPAY_ALLOW_AMBIGUOUS_TEXT"`
	// Now is the clock, for tests. Default: time.Now.
	Now func() time.Time `json:"-" yaml:"-"`
	// HTTPClient is copied, and the copy follows no redirects and has no cookie jar. Its Transport is used as it is:
	// set it for a proxy, for certificates of your own, or to that of httpmock in a test. The Transport must not resend
	// requests by itself, as retryablehttp does: for a call that may not be repeated, the second send is stopped, and
	// the outcome is unknown. A Transport that does not support httptrace hides whether a request was written; every
	// failure then counts as sent, and a second send is not noticed. HTTP/2 leaves more outcomes unknown: net/http
	// cannot tell what the server has seen when it goes away, and one dead connection fails many calls. With a
	// Transport of your own, net/http prints unexpected bytes, such as those after an answer, to the standard logger.
	//
	// Default, also for a nil Transport: a transport that speaks HTTP/1.1 and keeps enough connections for concurrent
	// calls.
	HTTPClient *http.Client `json:"-" yaml:"-"`
	// OnceStore remembers the numbers of calls that must be sent only once (param.EffectOnce), such as transfers and
	// wallet payments, because the gateway would pay again. A number is recorded before the first byte is sent and
	// never expires. It becomes free only if the call provably did nothing, or by ForgetTransfer or ForgetOnce. A
	// second send of a number is not made and is ErrDuplicate. While the store does not answer, nothing is sent either:
	// the error is a *TransportError with NeverSent.
	//
	// Use contrib/sqlstore or contrib/redisstore to share a store between processes and keep it over restarts. Redis
	// must not evict keys (maxmemory-policy noeviction) and must persist. Default: a NewMemoryStore(0) for this client
	// alone, which accepts 100,000 numbers and forgets them when the process ends: Doctor warns of it.
	OnceStore OnceStore `json:"-" yaml:"-"`
	// StoreName identifies the gateway in the keys of a store, so that one store can serve several gateways. All
	// processes that share a store must use the same name; what is stored under one name is not found under another.
	// Set it if processes reach the gateway by different URLs, or before you change ServiceURL. Default: ServiceURL, in
	// a normal form.
	StoreName string `json:"storeName" yaml:"storeName" env:"DAXPAY_STORE_NAME"`
	// Logger gets a line for every attempt, with path, codes, cause, duration and trace id; and a line for every
	// notice, with kind, numbers, the status of the reply, and why it was not received. No line contains any other
	// member of a message. Successes are logged at slog.LevelDebug, failed calls and notices that were not received at
	// slog.LevelWarn. Default: no log, except that notices which were not received go to slog.Default().
	Logger *slog.Logger `json:"-" yaml:"-"`
	// Observer is notified of every call and attempt, for traces and metrics: see contrib/otel. Default: none.
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
	maxMaxDepth            = 1000 // deeper than any message, and safe for recursion
)

// GatewayVersion is a release of the gateway.
type GatewayVersion string

// The versions of the gateway.
//
// GatewayAuto first uses the encoding of the interface documents. If the gateway refuses the signature or the members,
// which it checks before it does anything, the call is sent again as 2.0.8 encodes it, then as 2.0.7 does, if that
// makes a difference. The client remembers the encoding that was accepted; pinning the version saves these attempts.
// Two kinds of gateway must be pinned: 2.0.6 and older, because their paths differ; and a gateway with signature checks
// switched off, because it accepts the first encoding and ignores members that it does not know.
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

// pinned returns the table's version, false for GatewayAuto and for an unknown version.
func (v GatewayVersion) pinned() (gateway.Version, bool) {
	for known := gateway.V205; known <= gateway.V208; known++ {
		if known.String() == string(v) {
			return known, true
		}
	}
	return gateway.Printed, false
}

// spelled returns the version that is meant, such as by "v2.0.8", and reports whether there is one.
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

// given returns the end of an error text that quotes a wrong setting. It returns "" for what may be a secret in the
// wrong field: a value longer than any mistyped setting, and any value while the secret is missing or looks like the
// value of another field.
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

// withDefaults returns the Config with all defaults filled in, and an error that holds every mistake.
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
		fault("CorrectClock", "needs MaxAge: without it, a replayed old answer could set the clock")
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

// checkSecrets makes the checks of secrets that NewSigner does not make.
func (cfg *Config) checkSecrets(fault func(field, reason string)) {
	switch trimmed := strings.TrimSpace(cfg.SignSecret); {
	case !isUTF8(cfg.SignSecret):
		fault("SignSecret", "must be valid UTF-8")
	case trimmed != "" && trimmed != cfg.SignSecret:
		fault("SignSecret", "must not have white space or a line break around it")
	case cfg.SignSecret == masked:
		fault("SignSecret", "is the mask that this package prints instead of a secret: set the secret itself")
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
			fault(field, "is the mask that this package prints instead of a secret: set the secret itself")
		case secret == cfg.SignSecret:
			fault(field, "is SignSecret itself: it should be the secret that the gateway had before")
		case slices.Contains(cfg.PreviousSecrets[:i], secret):
			fault(field, "is given twice")
		}
	}
}

// isUTF8 reports whether text is valid UTF-8, and was so before encoding/json replaced invalid bytes by U+FFFD.
func isUTF8(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsRune(text, utf8.RuneError)
}

// checkLimits checks the durations and sizes.
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

// line says who can read and change what is sent between client and gateway.
type line int

const (
	lineOpen       line = iota // plain http: anyone on the way
	lineEncrypted              // https
	lineUnverified             // https, but certificates are not verified
	lineDeclared               // Config.TrustedNetwork
	lineLocal                  // a loopback address
	lineProxied                // a loopback address, reached through a proxy
)

// isTrusted reports whether no one can tamper with the connection.
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

// skipsVerification reports whether the caller's transport accepts any certificate.
func (cfg Config) skipsVerification() bool {
	transport := cfg.httpTransport()
	return transport != nil && transport.TLSClientConfig != nil && transport.TLSClientConfig.InsecureSkipVerify
}

// httpTransport returns the caller's transport if it is net/http's, else nil.
func (cfg Config) httpTransport() *http.Transport {
	if cfg.HTTPClient == nil {
		return nil
	}
	transport, _ := cfg.HTTPClient.Transport.(*http.Transport)
	return transport
}

// usesProxy reports whether requests to the URL go through a proxy. The built-in transport uses none for loopback
// addresses.
func (cfg Config) usesProxy(u *url.URL) bool {
	transport := cfg.httpTransport()
	if transport == nil || transport.Proxy == nil {
		return false
	}
	proxy, err := transport.Proxy(&http.Request{Method: http.MethodPost, URL: u, Header: http.Header{}})
	return err != nil || proxy != nil
}

// storeName is the URL in a normal form: another spelling of the URL must not free the numbers of payouts.
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

// masked is printed instead of a secret.
const masked = "***"

// address is ServiceURL without the parts that may be secret.
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
