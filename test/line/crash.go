package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/contrib/redisstore"
	"github.com/daxpay-go/daxpay/contrib/sqlstore"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/param"
)

// workerEnv holds the assignment of a process that makes transfers.
const workerEnv = "DAXPAY_LINE_WORKER"

// assignment says where a worker makes its transfers, and with which OnceStore. Without an address the store is in
// memory.
type assignment struct{ URL, Redis, PostgreSQL string }

func (a assignment) store() (store daxpay.OnceStore, stop func() error, err error) {
	switch {
	case a.Redis != "":
		client := redis.NewClient(&redis.Options{Addr: a.Redis})
		store, err = redisstore.New(client, redisstore.Options{})
		return store, client.Close, err
	case a.PostgreSQL != "":
		db, err := sql.Open("pgx", a.PostgreSQL)
		if err != nil {
			return nil, nil, err
		}
		store, err = sqlstore.New(db, sqlstore.PostgreSQL, sqlstore.Options{})
		return store, db.Close, err
	}
	return daxpay.NewMemoryStore(0), func() error { return nil }, nil
}

func (a assignment) client() (kit *daxpay.Client, stop func(), err error) {
	store, closeStore, err := a.store()
	if err != nil {
		return nil, nil, err
	}
	kit, err = daxpay.New(daxpay.Config{ServiceURL: a.URL, SignSecret: daxpaytest.Secret, Gateway: daxpay.GatewayV208,
		OnceStore: store, StoreName: "shop"})
	return kit, func() {
		kit.CloseIdleConnections()
		_ = closeStore()
	}, err
}

// What a worker says about a transfer.
const (
	saidDone      = "done"
	saidDuplicate = "duplicate"
	saidUnknown   = "unknown"
	saidNeverSent = "never"
	saidRefused   = "refused"
)

// work is a worker: it makes a transfer for each number that it reads, and says how the transfer ended. At a random
// moment it kills itself.
func work() int {
	var a assignment
	if err := json.Unmarshal([]byte(os.Getenv(workerEnv)), &a); err != nil {
		return 1
	}
	kit, stop, err := a.client()
	if err != nil {
		return 1
	}
	defer stop()
	last := 10 + rand.IntN(60) //nolint:gosec // nothing secret
	var mu sync.Mutex
	var wg sync.WaitGroup
	lines := bufio.NewScanner(os.Stdin)
	for n := 0; lines.Scan(); n++ {
		if n == last {
			pause := rand.N(3 * time.Millisecond) //nolint:gosec // nothing secret
			time.AfterFunc(pause, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) })
		}
		no := lines.Text()
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, err := kit.Transfer(context.Background(), aTransfer(no))
			mu.Lock()
			defer mu.Unlock()
			fmt.Println(no, said(err))
		}()
	}
	wg.Wait()
	return 0
}

func said(err error) string {
	var o outcomes
	switch o.add(err); {
	case o.fine > 0:
		return saidDone
	case o.duplicate > 0:
		return saidDuplicate
	case o.unknown > 0:
		return saidUnknown
	case o.neverSent > 0:
		return saidNeverSent
	}
	return saidRefused
}

// master hands transfers to workers until each has an outcome.
type master struct {
	assignment string
	queue      chan string

	mu      sync.Mutex
	open    int // jobs without an outcome
	done    chan struct{}
	said    map[string]map[string]int // number → what was said about it, and how often
	crashes int
	spare   int // how many more processes may be started
}

func newMaster(a assignment, transfers int) (*master, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	m := &master{assignment: string(text), done: make(chan struct{}), said: make(map[string]map[string]int),
		spare: 100 + transfers}
	var jobs []string
	for i := range transfers {
		no := fmt.Sprintf("T%05d", i)
		jobs = append(jobs, no)
		if i%4 == 0 {
			jobs = append(jobs, no) // two parts of the shop want the same
		}
	}
	//nolint:gosec // nothing secret
	rand.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	m.open, m.queue = len(jobs), make(chan string, len(jobs))
	for _, no := range jobs {
		m.queue <- no
	}
	return m, nil
}

// hears notes what a worker said. A transfer that was never sent is tried again.
func (m *master) hears(no, word string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.said[no] == nil {
		m.said[no] = make(map[string]int)
	}
	m.said[no][word]++
	if word == saidNeverSent {
		m.queue <- no
		return
	}
	if m.open--; m.open == 0 {
		close(m.done)
	}
}

// mayStart counts processes, so that workers that cannot even start are not started forever.
func (m *master) mayStart() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spare--
	return m.spare >= 0
}

// employ starts workers, one after the other, until all jobs are done.
func (m *master) employ(ctx context.Context) error {
	for m.mayStart() {
		over, err := m.worker(ctx)
		if over || err != nil {
			return err
		}
	}
	return errors.New("too many workers died")
}

// worker starts a worker and feeds it until it dies, or all jobs are done. Jobs about which it said nothing go back to
// the queue.
func (m *master) worker(ctx context.Context) (over bool, err error) {
	command := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // this program
	command.Env = append(os.Environ(), workerEnv+"="+m.assignment)
	command.Stderr = os.Stderr
	in, err1 := command.StdinPipe()
	out, err2 := command.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return false, err
	}
	if err := command.Start(); err != nil {
		return false, err
	}
	const atOnce = 8
	free := make(chan struct{}, atOnce)
	for range atOnce {
		free <- struct{}{}
	}
	var mu sync.Mutex
	taken := make(map[string]int)
	dead := make(chan struct{})
	go func() {
		defer close(dead)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			no, word, ok := strings.Cut(lines.Text(), " ")
			if !ok {
				continue // it died while it wrote
			}
			mu.Lock()
			taken[no]--
			mu.Unlock()
			m.hears(no, word)
			free <- struct{}{}
		}
	}()
	over = m.feed(in, free, dead, func(no string) {
		mu.Lock()
		defer mu.Unlock()
		taken[no]++
	})
	_ = in.Close()
	<-dead
	if err := command.Wait(); err != nil {
		m.mu.Lock()
		m.crashes++
		m.mu.Unlock()
	}
	for no, n := range taken {
		for range n {
			m.queue <- no
		}
	}
	return over, nil
}

func (m *master) feed(in io.Writer, free, dead <-chan struct{}, take func(no string)) (over bool) {
	for {
		select {
		case <-free:
		case <-dead:
			return false
		case <-m.done:
			return true
		}
		select {
		case no := <-m.queue:
			take(no)
			if _, err := io.WriteString(in, no+"\n"); err != nil {
				return false
			}
		case <-dead:
			return false
		case <-m.done:
			return true
		}
	}
}

// faulty returns a gateway behind a line that loses some calls, before or after they run.
func faulty(gw http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch rand.IntN(50) { //nolint:gosec // nothing secret
		case 0:
			panic(http.ErrAbortHandler)
		case 1:
			gw.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case 2:
			gw.ServeHTTP(httptest.NewRecorder(), r)
			w.WriteHeader(http.StatusBadGateway)
		default:
			gw.ServeHTTP(w, r)
		}
	})
}

// judgement is the result for all transfers, compared with what the gateway asked its channel for.
type judgement struct {
	transfers, crashes int
	twice              int // paid more than once
	wrong              int // called done and not paid, or refused and paid
	done               int // a worker was told that it is done
	found              int // no worker was told, and a query finds it
	held               int // never arrived; the store keeps its number until a person frees it
}

// runCrashes makes processes that kill themselves make transfers, and judges the result.
func runCrashes(ctx context.Context, a assignment, processes, transfers int) (judgement, error) {
	gw := daxpaytest.New(daxpaytest.WithoutNotices(), daxpaytest.WithRequestLog(1))
	defer gw.Close()
	front := httptest.NewServer(faulty(gw))
	defer front.Close()
	a.URL = front.URL
	m, err := newMaster(a, transfers)
	if err != nil {
		return judgement{}, err
	}
	errs := make(chan error, processes)
	for range processes {
		go func() { errs <- m.employ(ctx) }()
	}
	for range processes {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		return judgement{}, err
	}
	a.URL = gw.URL()
	return m.judge(ctx, a, gw, transfers)
}

func (m *master) judge(ctx context.Context, a assignment, gw *daxpaytest.Gateway, transfers int) (judgement, error) {
	kit, stop, err := a.client()
	if err != nil {
		return judgement{}, err
	}
	defer stop()
	paid := make(map[string]int)
	for _, t := range gw.Transfers() {
		paid[t.BizTransferNo]++
	}
	j := judgement{transfers: transfers, crashes: m.crashes}
	for _, n := range paid {
		if n > 1 {
			j.twice++
		}
	}
	for i := range transfers {
		no := fmt.Sprintf("T%05d", i)
		words := m.said[no]
		if words[saidDone] > 0 && paid[no] == 0 || words[saidRefused] > 0 && paid[no] > 0 || len(words) == 0 {
			j.wrong++
		}
		if words[saidDone] > 0 {
			j.done++
			continue
		}
		_, err := kit.QueryTransferOrder(ctx, &param.QueryTransferOrderParam{BizTransferNo: no})
		switch {
		case err == nil && paid[no] > 0:
			j.found++
		case errors.Is(err, daxpay.ErrNoSuchOrder) && paid[no] == 0:
			j.held++
			if _, err := kit.Transfer(ctx, aTransfer(no)); !errors.Is(err, daxpay.ErrDuplicate) {
				return j, fmt.Errorf("%s went out again: %w", no, err)
			}
		default:
			return j, fmt.Errorf("%s, which the channel paid %d times: %w", no, paid[no], err)
		}
	}
	return j, nil
}

// check returns an error if money was paid twice, or a worker was told something wrong.
func (j judgement) check() error {
	if j.twice > 0 || j.wrong > 0 || j.done+j.found+j.held != j.transfers {
		return fmt.Errorf("%+v", j)
	}
	return nil
}

// stores start each kind of shared store, ready to use.
var stores = map[string]func(ctx context.Context) (*server, assignment, error){
	"Redis": func(ctx context.Context) (*server, assignment, error) {
		s, address, err := startRedis(ctx)
		return s, assignment{Redis: address}, err
	},
	"PostgreSQL": func(ctx context.Context) (*server, assignment, error) {
		s, dsn, err := startPostgreSQL(ctx)
		if err != nil {
			return nil, assignment{}, err
		}
		db, err := sql.Open("pgx", dsn)
		if err == nil {
			var store *sqlstore.Store
			if store, err = sqlstore.New(db, sqlstore.PostgreSQL, sqlstore.Options{}); err == nil {
				err = store.CreateTable(ctx)
			}
			_ = db.Close()
		}
		if err != nil {
			s.stop()
			return nil, assignment{}, err
		}
		return s, assignment{PostgreSQL: dsn}, nil
	},
}

func crashes(ctx context.Context, r *report, transfers int) error {
	for name, start := range stores {
		s, a, err := start(ctx)
		if err != nil {
			return err
		}
		const processes = 4
		j, err := runCrashes(ctx, a, processes, transfers)
		s.stop()
		if err == nil {
			err = j.check()
		}
		if err != nil {
			return err
		}
		r.add(fmt.Sprintf("%d transfers, %d processes, %s, %d crashes", transfers, processes, name, j.crashes),
			"paid twice: %d; told: %d; found by a query: %d; held for a person: %d", j.twice, j.done, j.found, j.held)
	}
	return nil
}
