package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	"github.com/redis/go-redis/v9"
)

// testCertificate returns the certificate of httptest for 127.0.0.1.
func testCertificate() tls.Certificate {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates[0]
}

// trustTestCertificate makes this program trust the test certificate, so the client's own transport needs no change. It
// must run before anything verifies a certificate.
func trustTestCertificate() error {
	dir, err := os.MkdirTemp("", "line")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: testCertificate().Certificate[0]}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		return err
	}
	if err := os.Setenv("SSL_CERT_FILE", file); err != nil {
		return err
	}
	if err := os.Setenv("SSL_CERT_DIR", dir); err != nil {
		return err
	}
	if _, err := x509.SystemCertPool(); err != nil { // reads the file
		return err
	}
	return os.RemoveAll(dir)
}

// server is a program that is started for a measurement.
type server struct {
	command *exec.Cmd
	signal  syscall.Signal // by which it stops
	dir     string
	ended   chan struct{}
}

func (s *server) stop() {
	_ = s.command.Process.Signal(s.signal)
	<-s.ended
	_ = os.RemoveAll(s.dir)
}

// start starts a program and waits until its server answers. If owner is set, the program runs as that user.
func start(ctx context.Context, dir string, signal syscall.Signal, owner *syscall.Credential,
	answers func() error, path string, args ...string) (*server, error) {
	s := &server{exec.CommandContext(ctx, path, args...), signal, dir, make(chan struct{})} //nolint:gosec // its own
	s.command.Dir = dir
	s.command.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C")
	s.command.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	output, err := os.Create(filepath.Join(dir, "output")) //nolint:gosec // in a folder of its own
	if err != nil {
		return nil, err
	}
	defer output.Close() //nolint:errcheck // the program has a copy
	s.command.Stdout, s.command.Stderr = output, output
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.command.Wait()
		close(s.ended)
	}()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-ticker.C {
		if err = answers(); err == nil {
			return s, nil
		}
		select {
		case <-s.ended:
		default:
			if time.Now().Before(deadline) {
				continue
			}
		}
		said, _ := os.ReadFile(output.Name())
		s.stop()
		return nil, fmt.Errorf("%s does not answer: %w\n%s", path, err, said)
	}
}

// program finds a program in the PATH, or where Debian puts it.
func program(name, pattern string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob(pattern)
	if len(found) == 0 {
		return "", fmt.Errorf("%s: %w", name, errAbsent)
	}
	return found[len(found)-1], nil
}

func freePort(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close() //nolint:errcheck // it was never used
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// ordinary returns the user to run PostgreSQL as, because it refuses to run as root. nil is the present user.
func ordinary() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil //nolint:nilnil // nil is this user
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("user postgres: %w", errAbsent)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// startRedis starts a Redis that persists its data, and returns its address.
func startRedis(ctx context.Context) (*server, string, error) {
	path, err := program("redis-server", "/usr/bin/redis-server")
	if err != nil {
		return nil, "", err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, "", err
	}
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		return nil, "", err
	}
	address := "127.0.0.1:" + port
	client := redis.NewClient(&redis.Options{Addr: address})
	defer client.Close() //nolint:errcheck // it only asked whether Redis is there
	s, err := start(ctx, dir, syscall.SIGTERM, nil, func() error { return client.Ping(ctx).Err() }, path,
		"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--appendonly", "yes", "--maxmemory-policy", "noeviction")
	return s, address, err
}

// startPostgreSQL starts a PostgreSQL, and returns its DSN.
func startPostgreSQL(ctx context.Context) (*server, string, error) {
	initdb, err1 := program("initdb", "/usr/lib/postgresql/*/bin/initdb")
	postgres, err2 := program("postgres", "/usr/lib/postgresql/*/bin/postgres")
	owner, err3 := ordinary()
	port, err4 := freePort(ctx)
	dir, err5 := os.MkdirTemp("", "postgres")
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, "", err
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return nil, "", err
		}
	}
	data := filepath.Join(dir, "data")
	prepare := exec.CommandContext(ctx, initdb, "-D", data, "-U", "daxpay", "-A", "trust", //nolint:gosec // its own
		"-E", "UTF8", "--no-sync")
	prepare.Dir, prepare.SysProcAttr = dir, &syscall.SysProcAttr{Credential: owner}
	if output, err := prepare.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("initdb: %w\n%s", err, output)
	}
	dsn := "postgres://daxpay@127.0.0.1:" + port + "/postgres?sslmode=disable"
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, "", err
	}
	defer db.Close() //nolint:errcheck // it only asked whether PostgreSQL is there
	s, err := start(ctx, dir, syscall.SIGQUIT, owner, func() error { return db.PingContext(ctx) }, postgres,
		"-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
	return s, dsn, err
}
