package daxpay

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay/internal/wire"
)

// clock is how far the gateway's clock was found to be ahead of Config.Now, for Config.CorrectClock.
type clock struct {
	offset  atomic.Int64 // nanoseconds
	doubted atomic.Bool  // it is not used
}

func (k *clock) ahead() time.Duration {
	if k.doubted.Load() {
		return 0
	}
	return time.Duration(k.offset.Load())
}

// set takes over a difference that was measured, unless the one that is known could be the same, in which case it would
// only make the clock jump.
func (k *clock) set(d measured) {
	right := k.ahead()
	if (d.difference - right).Abs() > d.uncertain {
		right = d.difference
	}
	k.offset.Store(int64(right))
	k.doubted.Store(false)
}

// measured is a difference between the gateway's clock and this one: positive if the gateway's is ahead.
type measured struct {
	difference time.Duration
	uncertain  time.Duration
}

// measure compares a time that the gateway printed, cut to the second, with the middle of the round trip in which it
// came. It can have been printed at any moment of that, so clocks that could be equal have no difference.
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

// measureDate is measure for the Date header, false if there is none. Nothing proves that the gateway wrote it.
func (r *reply) measureDate() (measured, bool) {
	date, err := http.ParseTime(r.date)
	if err != nil {
		return measured{}, false
	}
	return r.measure(date), true
}

// learn takes the time of a verified answer to what was asked, which was found to be within Config.MaxAge of this
// clock. So a message that somebody recorded and sends again cannot make the clock wrong by more than that, and not for
// long: see doubt.
func (c *core) learn(r *reply, resTime time.Time) {
	if c.CorrectClock {
		c.clock.set(r.measure(resTime))
	}
}

// doubt stops using what was learned if the gateway refuses a request and its Date header disagrees. Without a Date,
// it is open whether the time was the reason: then it is used in every other request until one is accepted, so that
// neither a time that was learned wrongly nor a clock that is wrong can be the end.
func (c *core) doubt(d measured, dated bool) {
	switch known := c.clock.ahead(); {
	case dated && (d.difference-known).Abs() > d.uncertain+tolerable:
		c.clock.offset.Store(0)
		c.clock.doubted.Store(false)
	case !dated && c.clock.offset.Load() != 0:
		c.clock.doubted.Store(!c.clock.doubted.Load())
	}
}

// now is the time that a request would bear: the gateway's, with Config.CorrectClock.
func (c *core) now() time.Time { return c.Now().Add(c.clock.ahead()) }

// stamp is what the client fills into a request made now.
func (c *core) stamp(nonce string) wire.Stamp {
	return wire.Stamp{ClientIP: c.ClientIP, Nonce: nonce, Time: c.now().Unix(), Zone: c.Location}
}
