package shell

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/daxpay-go/daxpay"
)

func (s *shell) listenCommand() *cobra.Command {
	l := &listener{shell: s}
	var addr string
	cmd := &cobra.Command{
		Use: "listen", Short: "Receive notices, verify and print them, and pass them on", Args: noArgs,
		Long: "Receives notices, verifies and prints them. With --forward it passes on those that are verified, and the\n" +
			"gateway gets the receiver's answer; without it, the gateway gets SUCCESS. A notice whose signature is wrong\n" +
			"is answered with FAIL and is not passed on.",
		RunE: s.run(func(cmd *cobra.Command, _ []string) error {
			var err error
			if l.kit, err = s.client(cmd, false); err != nil {
				return err
			}
			return l.serve(cmd.Context(), addr)
		}),
	}
	addSettings(cmd, false)
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:9001", "address to listen on")
	cmd.Flags().StringVar(&l.forward, "forward", "", "URL of the shop that verified notices are passed on to")
	cmd.Flags().IntVar(&l.count, "count", 0, "end after so many notices; 0: never")
	return cmd
}

// listener receives notices.
type listener struct {
	shell   *shell
	kit     *daxpay.Client
	forward string
	count   int

	mu   sync.Mutex // one notice is printed at a time
	seen int
	end  context.CancelFunc
}

// received is the reply that means "received" to the gateway.
const received = "SUCCESS"

func (l *listener) serve(ctx context.Context, addr string) error {
	ctx, l.end = context.WithCancel(ctx)
	defer l.end()
	socket, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		if _, _, splitErr := net.SplitHostPort(addr); splitErr != nil {
			return failure(exitUsage, "--addr must be a host and a port, such as 127.0.0.1:9001")
		}
		return failure(exitUsage, "--addr: %w", err)
	}
	url := "http://" + socket.Addr().String()
	l.shell.warnf("listening on %s: give it to orders as NotifyURL; stop with Ctrl-C\n", url)
	if !onLoopback(url) {
		l.shell.warnf("everybody who reaches this address can send to it: only what is signed is printed as a notice\n")
	}
	server := &http.Server{Handler: l, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(socket) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return server.Shutdown(stop)
	}
}

// delivery is a line about one notice.
type delivery struct {
	Time     string        `json:"time"`
	Path     string        `json:"path"`
	Verified bool          `json:"verified"`
	Notice   *noticeReport `json:"notice,omitempty"`
	Error    string        `json:"error,omitempty"`
	Reply    *reply        `json:"reply,omitempty"` // of --forward
	Received bool          `json:"received"`
}

// ServeHTTP receives one notice.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "daxpay listen takes notices, by POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		refuse(w, http.StatusBadRequest)
		return
	}
	d := delivery{Time: time.Now().Format(time.RFC3339), Path: r.URL.Path}
	notice, err := l.kit.ParseNotice(body)
	switch {
	case err != nil:
		d.Error = strings.TrimPrefix(errorText(err), "daxpay: ")
		refuse(w, http.StatusUnauthorized)
	case l.forward == "":
		d.Verified, d.Notice, d.Received = true, reportOf(notice), true
		_, _ = io.WriteString(w, received)
	default:
		d.Verified, d.Notice = true, reportOf(notice)
		l.pass(r.Context(), w, body, &d)
	}
	l.print(&d)
}

// refuse tells the gateway that the notice was not received.
func refuse(w http.ResponseWriter, status int) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "FAIL")
}

// pass passes a notice on and the answer back.
func (l *listener) pass(ctx context.Context, w http.ResponseWriter, body []byte, d *delivery) {
	answer, err := post(ctx, l.forward, body)
	if err != nil {
		d.Error = err.Error()
		refuse(w, http.StatusBadGateway)
		return
	}
	d.Reply, d.Received = answer, answer.Received
	w.WriteHeader(answer.Status)
	_, _ = io.WriteString(w, answer.Body)
}

func (l *listener) print(d *delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shell
	switch {
	case s.json:
		text, _ := plainJSON(d)
		s.printf("%s\n", text)
	case !d.Verified:
		s.printf("%s %s: %s\n", d.Time, s.paint(red, "refused"), d.Error)
	default:
		s.printf("%s %s: %s\n", d.Time, s.paint(green, "verified"), d.Notice)
		if d.Error != "" {
			s.printf("  not passed on: %s\n", d.Error)
		}
		if d.Reply != nil {
			s.printReply(d.Reply)
		}
	}
	if l.seen++; l.seen == l.count {
		l.end()
	}
}
