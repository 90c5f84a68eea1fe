package daxpay

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay/internal/wire"
)

// clock holds how far the gateway's clock is ahead of Config.Now, for Config.CorrectClock.
type clock struct {
	offset  atomic.Int64 // nanoseconds
	doubted atomic.Bool  // offset is not used at present
}

func (k *clock) ahead() time.Duration {
	if k.doubted.Load() {
		return 0
	}
	return time.Duration(k.offset.Load())
}

// set stores a measured difference. It keeps the known one if both agree within the uncertainty, so that the clock does
// not jump.
func (k *clock) set(d measured) {
	right := k.ahead()
	if (d.difference - right).Abs() > d.uncertain {
		right = d.difference
	}
	k.offset.Store(int64(right))
	k.doubted.Store(false)
}

// measured is how far the gateway's clock is ahead of this one, negative if it is behind.
type measured struct {
	difference time.Duration
	uncertain  time.Duration
}

// measure compares a time from the gateway, cut to the second, with the middle of the round trip that brought it. The
// gateway may have taken it at any moment of the round trip. If the clocks could be equal, the difference is 0.
func (r *reply) measure(printed time.Time) measured {
	const cut = time.Second / 2
	middle := r.sent.Add(r.took / 2)
	m := measured{difference: printed.Add(cut).Sub(middle), uncertain: r.took/2 + time.Second}
	if m.difference.Abs() <= r.took/2+cut {
		m.difference = 0
	}
	m.difference = m.difference.Round(time.Second)
	return m
}

// measureDate is measure for the Date header. It returns false if there is none. Nothing proves that the gateway wrote
// the header.
func (r *reply) measureDate() (measured, bool) {
	date, err := http.ParseTime(r.date)
	if err != nil {
		return measured{}, false
	}
	return r.measure(date), true
}

// learn learns from the time of a verified answer, which is within Config.MaxAge of this clock. A replayed answer can
// thus set the clock wrong by no more than MaxAge, and doubt soon ends that.
func (c *core) learn(r *reply, resTime time.Time) {
	if c.CorrectClock {
		c.clock.set(r.measure(resTime))
	}
}

// doubt drops what was learned if the gateway refuses a request and its Date header disagrees. Without a Date header
// the time may or may not be the reason. The learned offset is then used in every other request until one is accepted,
// so that neither a wrong offset nor a wrong clock blocks all calls.
func (c *core) doubt(d measured, dated bool) {
	switch known := c.clock.ahead(); {
	case dated && (d.difference-known).Abs() > d.uncertain+tolerable:
		c.clock.offset.Store(0)
		c.clock.doubted.Store(false)
	case !dated && c.clock.offset.Load() != 0:
		c.clock.doubted.Store(!c.clock.doubted.Load())
	}
}

// now is the time for requests: the gateway's, with Config.CorrectClock.
func (c *core) now() time.Time { return c.Now().Add(c.clock.ahead()) }

// stamp returns what the client adds to a request that is made now.
func (c *core) stamp(nonce string) wire.Stamp {
	return wire.Stamp{ClientIP: c.ClientIP, Nonce: nonce, Time: c.now().Unix(), Zone: c.Location}
}
