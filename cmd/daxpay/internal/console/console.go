// Package console serves a DaxPay gateway to develop a shop against, with pages that show what it does, and a cashier
// for the customer.
package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daxpay-go/daxpay"
)

// defaultSecret is the secret of a new gateway.
const defaultSecret = "123456"

// Options configure a gateway. The zero value is one of release 2.0.8 on 127.0.0.1:9000, in memory.
type Options struct {
	// Addr is the address to listen on. Empty: 127.0.0.1:9000.
	Addr string
	// Secret is the gateway's secret (签名秘钥). Empty: 123456, as in a new gateway.
	Secret string
	// SignType is the gateway's algorithm. Empty: HMAC_SHA256, or what the data file has.
	SignType daxpay.SignType
	// Version is the release. Empty: 2.0.8.
	Version daxpay.GatewayVersion
	// Data is a file that keeps everything across restarts. Empty: everything is in memory.
	Data string
	// Hosts are names under which browsers may open the pages, in addition to localhost and IP addresses.
	Hosts []string
	// KeepOrders is how many orders are kept, and KeepRequests how many requests, notices and channel calls in all. The
	// oldest go first, open orders last. 0: 100,000 orders, and 50,000 of the others.
	KeepOrders, KeepRequests int
	// NoticesAnywhere lets notices go to other machines.
	NoticesAnywhere bool
	// Out gets the addresses at the start, as JSON for scripts if JSON is set. Nil: nothing is printed.
	Out  io.Writer
	JSON bool
	// Started is called with the address once the gateway listens. It may be nil.
	Started func(addr net.Addr)
}

// Run serves until the context ends.
func Run(ctx context.Context, o Options) error {
	var config net.ListenConfig
	addr := o.Addr
	if addr == "" {
		addr = "127.0.0.1:9000"
	}
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	s, err := newServer(ctx, o)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer s.close()
	server := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 75 * time.Second, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.announce(listener.Addr())
	if o.Started != nil {
		o.Started(listener.Addr())
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.gw.Close() // ends calls that a fault or the channel holds
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(grace), ignore(<-ended, http.ErrServerClosed))
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// announce prints the addresses, the secret's origin and where the data is.
func (s *server) announce(addr net.Addr) {
	if s.options.Out == nil {
		return
	}
	hosts := reachable(addr)
	host := hosts[0]
	if s.options.JSON {
		_ = json.NewEncoder(s.options.Out).Encode(map[string]any{
			"serviceUrl": "http://" + host, "console": "http://" + host + "/_console", "gateway": s.version,
			"signType": s.gw.Settings().SignType, "loopback": loopback(addr),
		})
		return
	}
	secret := "from --secret-file or DAXPAY_SECRET"
	if s.options.Secret == "" {
		secret = defaultSecret + " (that of a new gateway)"
	}
	where := fmt.Sprintf(
		"in memory; the newest %d orders and %d requests are kept",
		s.options.KeepOrders,
		s.options.KeepRequests,
	)
	if s.options.Data != "" {
		where = fmt.Sprintf(
			"%s; the newest %d orders and %d requests are kept",
			s.options.Data,
			s.options.KeepOrders,
			s.options.KeepRequests,
		)
	}
	fmt.Fprintf(s.options.Out, "DaxPay gateway %s, a test gateway: no real money moves\n"+
		"  service URL  http://%s\n  console      http://%s/_console\n"+
		"  secret       %s\n  sign type    %s\n  data         %s\n",
		s.version, host, host, secret, s.gw.Settings().SignType, where)
	for _, other := range hosts[1:] {
		fmt.Fprintf(s.options.Out, "  network      http://%s\n", other)
	}
	if !loopback(addr) {
		fmt.Fprintf(s.options.Out, "\n*** WARNING: %s is open to the network, and the console has no login.\n"+
			"*** Anyone who can reach it sees every request and can change everything, the secret too.\n\n", addr)
	}
}

// reachable lists the addresses of a listener: its own, or those of this machine if it listens on all.
func reachable(addr net.Addr) []string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return []string{addr.String()}
	}
	at := func(ip string) string { return net.JoinHostPort(ip, strconv.Itoa(tcp.Port)) }
	list := []string{at("127.0.0.1")}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return list
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			list = append(list, at(network.IP.String()))
		}
	}
	return list
}

func loopback(addr net.Addr) bool {
	a, err := netip.ParseAddrPort(addr.String())
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// NewServeCommand is the command serve.
func NewServeCommand() *cobra.Command {
	var o Options
	var secretFile, signType, version string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve a test gateway with a console and a cashier",
		Long: `Serve a DaxPay gateway to develop against, with a console at /_console and a cashier where customers pay.

The secret comes from --secret-file, or else from the variable DAXPAY_SECRET, or else it is 123456.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			secret, err := readSecret(secretFile)
			if err != nil {
				return err
			}
			o.Secret, o.SignType, o.Version = secret, daxpay.SignType(signType), daxpay.GatewayVersion(version)
			o.Out = c.ErrOrStderr()
			if f := c.Flags().Lookup("json"); f != nil && f.Value.String() == "true" { // of the whole command
				o.Out, o.JSON = c.OutOrStdout(), true
			}
			c.SilenceUsage = true
			return Run(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Addr, "addr", "127.0.0.1:9000", "address to listen on; there is no login, so keep it to this machine")
	f.StringVar(&secretFile, "secret-file", "", "file with the secret")
	f.StringVar(&signType, "sign-type", "", "HMAC_SHA256 or MD5 (default HMAC_SHA256, or what the data file has)")
	f.StringVar(&version, "version", string(daxpay.GatewayV208), "release of the gateway: 2.0.6, 2.0.7, 2.0.8")
	f.StringVar(&o.Data, "data", "", "file (SQLite) that keeps everything across restarts")
	f.StringSliceVar(
		&o.Hosts,
		"allow-host",
		nil,
		"host name under which browsers may open the pages, in addition to localhost and IP addresses",
	)
	f.IntVar(&o.KeepOrders, "keep-orders", defaultOrders, "how many orders to keep; the oldest go first")
	f.IntVar(&o.KeepRequests, "keep-requests", defaultRequests, "how many requests, notices and channel calls to keep")
	f.BoolVar(&o.NoticesAnywhere, "notices-anywhere", false, "send notices to other machines, not only to this one")
	return c
}

const (
	defaultOrders   = 100_000
	defaultRequests = 50_000
)

// readSecret reads the secret from a file, or from the environment.
func readSecret(file string) (string, error) {
	if file == "" {
		return os.Getenv("DAXPAY_SECRET"), nil
	}
	b, err := os.ReadFile(file) //nolint:gosec // the user names it
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(b))
	if secret == "" {
		return "", fmt.Errorf("%s has no secret in it", file)
	}
	return secret, nil
}
