package daxpay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/param"
)

// answerEnd finds the end of an answer where net/http does, in pieces of any size.
func TestAnswerEnd(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, answer := range map[string]string{
		"length":               "HTTP/1.1 200 OK\r\nContent-Type: x\r\nContent-Length: 2\r\n\r\n{}",
		"other letters":        "HTTP/1.1 200\ncontent-LENGTH:\t 2 \n\n{}",
		"no body":              "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"no content":           "HTTP/1.1 204 No Content\r\n\r\n",
		"not modified":         "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
		"HTTP/1.0":             "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
		"interim":              "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"chunks":               chunked + "1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n",
		"chunks with a length": "HTTP/1.1 200\r\nContent-Length: 1\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"trailers":             chunked + "2\r\n{}\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n",
		"a long header": "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("Content-Length: 9", 20) +
			"\r\nContent-Length: 2\r\n\r\n{}",
		"a long reason": "HTTP/1.1 200 " + strings.Repeat("OK ", 50) + "\r\nContent-Length: 2\r\n\r\n{}",
	} {
		rest := bufio.NewReader(strings.NewReader(answer + "surplus"))
		for status := 100; status < 200; {
			res, err := http.ReadResponse(rest, nil)
			require.NoError(t, err, name)
			_, err = io.Copy(io.Discard, res.Body)
			require.NoError(t, err, name)
			require.NoError(t, res.Body.Close())
			status = res.StatusCode
		}
		left, err := io.ReadAll(rest)
		require.NoError(t, err)
		require.Equal(t, "surplus", string(left), name)
		for piece := 1; piece <= len(answer); piece++ {
			var end answerEnd
			at := 0
			for complete := false; !complete; {
				require.Less(t, at, len(answer), name)
				var used int
				used, complete = end.find([]byte((answer + "surplus")[at:min(at+piece, len(answer)+7)]))
				require.Positive(t, used, name)
				at += used
			}
			require.Equal(t, len(answer), at, "%s in pieces of %d", name, piece)
			require.True(t, end.atStart())
		}
	}
}

// Input that answerEnd does not understand passes unchanged.
func TestAnswerEndIgnoresUnknownInput(t *testing.T) {
	for _, answer := range []string{
		"SSH-2.0-x\r\n\r\nmore", "HTTP/2 200\r\n\r\nmore", "HTTP/1.1 101 Switching\r\n\r\nmore",
		"HTTP/1.1 200 OK\r\n\r\nmore", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nmore",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nmore", "HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nmore",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding:\r\n chunked\r\n\r\n4\r\nmore\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length:" + strings.Repeat(" ", 48) + "10\r\n\r\n1234567890",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nmore",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nmore",
	} {
		var end answerEnd
		used, complete := end.find([]byte(answer))
		require.False(t, complete, answer)
		require.Equal(t, len(answer), used, answer)
	}
}

// heard collects the output of the standard logger.
func heard(t *testing.T) *bytes.Buffer {
	t.Helper()
	var printed bytes.Buffer
	before := log.Writer()
	log.SetOutput(&printed)
	t.Cleanup(func() { log.SetOutput(before) })
	return &printed
}

// net/http would log bytes that follow an answer or arrive on an idle connection. They can hold personal data.
func TestUnsolicitedBytesAreNotLogged(t *testing.T) {
	const answer = "HTTP/1.1 500 x\r\nContent-Length: 2\r\n\r\n{}"
	const surplus = "王小明 6222000000000000"
	const chunks = "HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	certificate.Close()
	for name, tt := range map[string]struct {
		secure bool
		pieces []string // sent one at a time
	}{
		"with the answer":              {false, []string{answer + surplus}},
		"with the answer, encrypted":   {true, []string{answer + surplus}},
		"after the answer":             {false, []string{answer, surplus}},
		"after the answer, encrypted":  {true, []string{answer, surplus}},
		"without a body":               {false, []string{"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n" + surplus}},
		"in chunks":                    {false, []string{chunks + surplus}},
		"a whole answer to a question": {false, []string{answer + answer}},
	} {
		t.Run(name, func(t *testing.T) {
			printed := heard(t)
			listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer listener.Close()
			scheme := "http://"
			if tt.secure {
				scheme = "https://"
				listener = tls.NewListener(listener, certificate.TLS)
			}
			answered, closed := make(chan struct{}), make(chan error, 1)
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					closed <- err
					return
				}
				defer conn.Close()
				in := bufio.NewReader(conn)
				req, err := http.ReadRequest(in)
				if err == nil {
					_, err = io.Copy(io.Discard, req.Body)
				}
				for i, piece := range tt.pieces {
					if i > 0 {
						<-answered
					}
					if err == nil {
						_, err = io.WriteString(conn, piece)
					}
				}
				if err == nil {
					_, err = io.Copy(io.Discard, in) // until the client closes the connection
				}
				closed <- err
			}()
			kit, err := New(Config{ServiceURL: scheme + listener.Addr().String(), SignSecret: "123456",
				Retry: Retry{MaxAttempts: 1}})
			require.NoError(t, err)
			pool := certificate.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			transport := kit.core.resty.GetClient().Transport.(*http.Transport)
			transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
			_, err = kit.SyncPay(context.Background(), &param.PaySyncParam{OrderNo: "P1"})
			var page *HTTPError
			require.ErrorAs(t, err, &page)
			require.Equal(t, 500, page.StatusCode)
			close(answered)
			require.NoError(t, <-closed, "the client closes the connection")
			require.Empty(t, printed.String())
		})
	}
}

// The bytes in a tunnel through a proxy are encrypted, not a sequence of answers.
func TestTunnelIsNotParsed(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		defer there.Close()
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(there, here) }()
		_, _ = io.Copy(here, there)
	}))
	defer proxy.Close()
	transport := Config{MaxIdleConns: 1}.newTransport(time.Minute)
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	transport.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	for range 2 {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL, strings.NewReader("{}"))
		require.NoError(t, err)
		res, err := transport.RoundTrip(req)
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, res.StatusCode)
		require.NoError(t, res.Body.Close())
	}
}
