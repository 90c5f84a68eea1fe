package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
)

// startNginx starts an nginx with TLS and HTTP/2 in front of a gateway, and returns its URL. requests is after how many
// requests it closes a connection; 0 means its default, 1,000.
func startNginx(ctx context.Context, gateway string, requests int) (*server, string, error) {
	path, err := program("nginx", "/usr/sbin/nginx")
	if err != nil {
		return nil, "", err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, "", err
	}
	dir, err := os.MkdirTemp("", "nginx")
	if err != nil {
		return nil, "", err
	}
	certificate := testCertificate()
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		return nil, "", err
	}
	limit := ""
	if requests > 0 {
		limit = fmt.Sprintf("keepalive_requests %d;", requests)
	}
	for name, content := range map[string][]byte{
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"nginx.conf": []byte(`
daemon off; master_process off; pid ` + dir + `/pid; error_log stderr;
events { worker_connections 4096; }
http {
	access_log off; client_body_temp_path ` + dir + `/body; proxy_temp_path ` + dir + `/proxy;
	fastcgi_temp_path ` + dir + `/f; uwsgi_temp_path ` + dir + `/u; scgi_temp_path ` + dir + `/s;
	upstream gateway { server ` + strings.TrimPrefix(gateway, "http://") + `; keepalive 128; }
	server {
		listen 127.0.0.1:` + port + ` ssl http2;
		ssl_certificate cert.pem; ssl_certificate_key key.pem;
		` + limit + `
		location / { proxy_pass http://gateway; proxy_http_version 1.1; proxy_set_header Connection ""; }
	}
}`),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, "", err
		}
	}
	answers := func() error {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	s, err := start(ctx, dir, syscall.SIGTERM, nil, answers, path, "-p", dir, "-c", "nginx.conf", "-e", "stderr")
	return s, "https://127.0.0.1:" + port, err
}

// overHTTP2 returns an HTTP client as a user may configure it, with HTTP/2.
func overHTTP2() *http.Client {
	return &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 128,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}}
}

var proxyCalls = map[string]func(ctx context.Context, kit *daxpay.Client, no string) error{
	"Pay": func(ctx context.Context, kit *daxpay.Client, no string) error {
		_, err := kit.Pay(ctx, aPayment(no))
		return err
	},
	"Transfer": func(ctx context.Context, kit *daxpay.Client, no string) error {
		_, err := kit.Transfer(ctx, aTransfer(no))
		return err
	},
}

// runs makes the numbers of orders differ between runs.
var runs atomic.Int64

// throughNginx makes calls through an nginx, atOnce of them at a time, and counts how they end.
func throughNginx(ctx context.Context, call, url string, transport *http.Client, atOnce, calls int) (outcomes, error) {
	kit, err := daxpay.New(daxpay.Config{ServiceURL: url, SignSecret: daxpaytest.Secret, Gateway: daxpay.GatewayV208,
		HTTPClient: transport, OnceStore: daxpay.NewMemoryStore(calls)})
	if err != nil {
		return outcomes{}, err
	}
	defer kit.CloseIdleConnections()
	run := runs.Add(1)
	var mu sync.Mutex
	var all outcomes
	var wg sync.WaitGroup
	for i := range atOnce {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range calls / atOnce {
				err := proxyCalls[call](ctx, kit, fmt.Sprintf("N%d-%d-%d", run, i, j))
				mu.Lock()
				all.add(err)
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	return all, nil
}

func behindNginx(ctx context.Context, r *report) error {
	const calls = 6400
	return nginxTable(ctx, r, calls, []int{1, 2, 8, 64})
}

// nginxTable fails if a call through the client's own transport ends as unknown.
func nginxTable(ctx context.Context, r *report, calls int, counts []int) error {
	for _, requests := range []int{10, 0} {
		gw := daxpaytest.New(daxpaytest.WithRequestLog(1), daxpaytest.WithoutNotices())
		nginx, url, err := startNginx(ctx, gw.URL(), requests)
		if err != nil {
			gw.Close()
			return err
		}
		err = nginxRows(ctx, r, url, requests, calls, counts)
		nginx.stop()
		gw.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func nginxRows(ctx context.Context, r *report, url string, requests, calls int, counts []int) error {
	limit := "default"
	if requests > 0 {
		limit = fmt.Sprint(requests)
	}
	for _, call := range []string{"Pay", "Transfer"} {
		for _, atOnce := range counts {
			own, err := throughNginx(ctx, call, url, nil, atOnce, calls)
			if err != nil {
				return err
			}
			other, err := throughNginx(ctx, call, url, overHTTP2(), atOnce, calls)
			if err != nil {
				return err
			}
			r.add(fmt.Sprintf("%s, keepalive_requests %s, %d at once", call, limit, atOnce),
				"unknown of %d: %d; with a user's HTTP/2: %d", own.calls(), own.unknown, other.unknown)
			if own.fine != own.calls() {
				return fmt.Errorf("through the client's own transport: %+v", own)
			}
		}
	}
	return nil
}
