package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// startPostgreSQL starts a PostgreSQL with its data in a temporary folder.
func startPostgreSQL(ctx context.Context) (stop func(), dsn string, err error) {
	dir, err := os.MkdirTemp("", "queue")
	if err != nil {
		return nil, "", err
	}
	end := func() { _ = os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			end()
		}
	}()
	data := filepath.Join(dir, "data")
	initdb, err := command(ctx, dir, "initdb", "-D", data, "-U", "daxpay", "-A", "trust", "-E", "UTF8", "--no-sync")
	if err != nil {
		return nil, "", err
	}
	if output, err := initdb.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("initdb: %w: %s", err, output)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	// The server outlives ctx: stop ends it after the pool is closed.
	server, err := command(context.WithoutCancel(ctx), dir, "postgres", "-D", data, "-p", port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
	if err != nil {
		return nil, "", err
	}
	if err := server.Start(); err != nil {
		return nil, "", err
	}
	end = func() {
		_ = server.Process.Signal(syscall.SIGQUIT)
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	}
	dsn = "postgres://daxpay@127.0.0.1:" + port + "/postgres?sslmode=disable"
	for {
		c, err := pgx.Connect(ctx, dsn)
		if err == nil {
			return end, dsn, c.Close(ctx)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, "", errors.Join(ctx.Err(), err)
		}
	}
}

// command finds one of PostgreSQL's programs, in the PATH or where Debian puts it. They refuse to run as root.
func command(ctx context.Context, dir, name string, args ...string) (*exec.Cmd, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
		if len(found) == 0 {
			return nil, errors.New("set DATABASE_URL, or install PostgreSQL: there is no " + name)
		}
		path = found[len(found)-1]
	}
	c := exec.CommandContext(ctx, path, args...) //nolint:gosec // one of two programs
	c.Dir = dir
	c.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C")
	if os.Getuid() != 0 {
		return c, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return c, os.Chown(dir, int(uid), int(gid))
}
