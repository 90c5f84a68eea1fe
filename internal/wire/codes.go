package wire

import (
	"slices"
	"sync/atomic"
)

// codes are the texts that a field of codes had, so that the next message with one of them takes no memory for it: a code is
// one of a few. It is for fields that have a type of their own, such as model.PayStatus.
type codes struct{ texts atomic.Pointer[[]string] }

const (
	maxCodes      = 8
	maxCodeLength = 32
)

// text is the string of b.
func (c *codes) text(b []byte) string {
	known := c.texts.Load()
	if known != nil {
		for _, s := range *known {
			if s == string(b) {
				return s
			}
		}
	}
	s := string(b)
	c.keep(known, s)
	return s
}

// keep adds a text to those that are known, unless these are many already, or others changed them meanwhile.
func (c *codes) keep(known *[]string, s string) {
	if len(s) > maxCodeLength {
		return
	}
	var more []string
	if known != nil {
		if len(*known) >= maxCodes {
			return
		}
		more = slices.Clone(*known)
	}
	more = append(more, s)
	c.texts.CompareAndSwap(known, &more)
}
