package sqlstore_test

import (
	"context"
	"database/sql"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/daxpay-go/daxpay/contrib/sqlstore"
)

// database is a database for tests.
type database struct {
	name    string
	dialect sqlstore.Dialect
	driver  string
	// start starts the database and returns a function that makes its DSN, with options of the session.
	start func(t testing.TB) (dsn func(options ...string) string)
	// serializable is the option that makes every transaction, and so every statement, serializable.
	serializable []string
	// readOnly is the option that refuses every change, as a replica does.
	readOnly string
}

func databases() []database {
	return []database{
		{
			"PostgreSQL", sqlstore.PostgreSQL, "pgx", startPostgreSQL,
			[]string{"default_transaction_isolation=serializable"}, "default_transaction_read_only=on",
		},
		{
			"MariaDB", sqlstore.MySQL, "mysql", startMariaDB,
			[]string{"tx_isolation='SERIALIZABLE'"}, "tx_read_only=1",
		},
		{"SQLite", sqlstore.SQLite, "sqlite", startSQLite, nil, "_pragma=query_only(1)"},
	}
}

func (d *database) open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, dsn)
	require.NoError(t, err)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// ordinary is the user that the servers run as, because they refuse to run as root; nil means the user who runs the
// tests.
func ordinary(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "mysql", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		require.NoError(t, err)
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		require.NoError(t, err)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	t.Fatal("there is no user that a database server could run as")
	return nil
}

// folder makes a folder for its owner. Only the user who runs the tests can enter one that t.TempDir makes.
func folder(t testing.TB, owner *syscall.Credential) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sqlstore")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if owner != nil {
		require.NoError(t, os.Chown(dir, int(owner.Uid), int(owner.Gid)))
	}
	return dir
}

func command(dir string, owner *syscall.Credential, path string, args ...string) *exec.Cmd {
	c := exec.CommandContext(context.Background(), path, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	return c
}

// serve starts a server and waits until it answers.
func (d *database) serve(t testing.TB, c *exec.Cmd, stop syscall.Signal, dsn string) {
	t.Helper()
	output := new(strings.Builder)
	c.Stdout, c.Stderr = output, output
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Signal(stop)
		_ = c.Wait()
		if t.Failed() {
			t.Log(output)
		}
	})
	db, err := sql.Open(d.driver, dsn)
	require.NoError(t, err)
	defer db.Close()
	answers := func() bool { return db.PingContext(context.Background()) == nil }
	require.Eventually(t, answers, 60*time.Second, 50*time.Millisecond)
}

func freePort(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return port
}

// program finds a program in the PATH, or where Debian puts it.
func program(t testing.TB, name, pattern string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob(pattern)
	if len(found) == 0 {
		t.Skipf("there is no %s on this machine: apt-get install postgresql mariadb-server", name)
	}
	return found[len(found)-1]
}

func startPostgreSQL(t testing.TB) func(...string) string {
	t.Helper()
	d := databases()[0]
	initdb := program(t, "initdb", "/usr/lib/postgresql/*/bin/initdb")
	postgres := program(t, "postgres", "/usr/lib/postgresql/*/bin/postgres")
	owner := ordinary(t)
	dir := folder(t, owner)
	output, err := command(dir, owner, initdb, "-D", filepath.Join(dir, "data"), "-U", "daxpay", "-A", "trust",
		"-E", "UTF8", "--no-sync").CombinedOutput()
	require.NoError(t, err, string(output))
	port := freePort(t)
	dsn := func(options ...string) string {
		return "postgres://daxpay@127.0.0.1:" + port + "/postgres?sslmode=disable&" + strings.Join(options, "&")
	}
	d.serve(t, command(dir, owner, postgres, "-D", filepath.Join(dir, "data"), "-p", port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"),
		syscall.SIGQUIT, dsn())
	return dsn
}

func startMariaDB(t testing.TB) func(...string) string {
	t.Helper()
	d := databases()[1]
	install := program(t, "mariadb-install-db", "/usr/bin/mariadb-install-db")
	mariadbd := program(t, "mariadbd", "/usr/sbin/mariadbd")
	owner := ordinary(t)
	dir := folder(t, owner)
	output, err := command(dir, owner, install, "--no-defaults", "--datadir="+filepath.Join(dir, "data"),
		"--skip-test-db", "--auth-root-authentication-method=normal").CombinedOutput()
	require.NoError(t, err, string(output))
	port := freePort(t)
	dsn := func(options ...string) string {
		return "root@tcp(127.0.0.1:" + port + ")/daxpay?" + strings.Join(options, "&")
	}
	first := strings.Replace(dsn(), "daxpay", "mysql", 1)
	d.serve(t, command(dir, owner, mariadbd, "--no-defaults", "--datadir="+filepath.Join(dir, "data"), "--port="+port,
		"--bind-address=127.0.0.1", "--socket="+filepath.Join(dir, "socket"), "--pid-file="+filepath.Join(dir, "pid"),
		"--skip-grant-tables", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"), syscall.SIGKILL, first)
	_, err = d.open(t, first).ExecContext(context.Background(), "CREATE DATABASE daxpay")
	require.NoError(t, err)
	return dsn
}

func startSQLite(t testing.TB) func(...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "once.db")
	return func(options ...string) string {
		options = append(options, "_pragma=busy_timeout(5000)", "_pragma=journal_mode(wal)", "_pragma=synchronous(off)")
		return "file:" + path + "?" + strings.Join(options, "&")
	}
}
