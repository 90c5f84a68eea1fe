package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

var algorithms = []daxpay.SignType{daxpay.HMACSHA256, daxpay.MD5}

// tally counts the results of the changes to one message.
type tally struct {
	sent     map[string]int // by kind of change
	accepted map[string]int // by exception
	unique   int
	faults   faults
}

// tampering sends the client every message with every change that edits makes, and with every single bit flipped.
func tampering(t *trial) error {
	kinds := message.Kinds()
	tallies := make([]tally, len(kinds)*len(algorithms))
	err := each(len(tallies), func(n int) error {
		k, signType := &kinds[n/len(algorithms)], algorithms[n%len(algorithms)]
		return tamper(t, k, signType, &tallies[n])
	})
	sent, accepted := make(map[string]int), make(map[string]int)
	total, passed := 0, 0
	for i := range tallies {
		for class, n := range tallies[i].sent {
			sent[class] += n
			total += n
		}
		for name, n := range tallies[i].accepted {
			accepted[name] += n
		}
		passed += tallies[i].unique
	}
	t.say("%d kinds of messages, %d algorithms: %d changes (%s)", len(kinds), len(algorithms), total, counts(sent))
	t.say("%d refused", total-passed)
	t.say("%d accepted as exceptions of the protocol (%s)", passed, counts(accepted))
	broken := 0
	for i := range tallies {
		broken += tallies[i].faults.count
	}
	t.say("%d accepted otherwise", broken)
	return err
}

func counts(m map[string]int) string {
	parts := make([]string, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(parts, ", ")
}

func tamper(t *trial, k *message.Kind, signType daxpay.SignType, result *tally) error {
	*result = tally{sent: make(map[string]int), accepted: make(map[string]int)}
	r, err := message.NewReceiver(signType, nil)
	if err != nil {
		return err
	}
	original := k.Sealed(signType)
	before, err := r.Receive(k, []byte(original.Body))
	if err != nil {
		return fmt.Errorf("%s: the genuine message is refused: %w", k.Name, err)
	}
	try := func(class string, body []byte) {
		if string(body) == original.Body {
			return // an edit that made no difference
		}
		result.sent[class]++
		after, err := r.Receive(k, body)
		switch {
		case err == nil:
			names, err := k.Judge([]byte(original.Body), body, before, after, signType)
			if err != nil {
				result.faults.add("%s, %s, %s: %w: %s", k.Name, signType, class, err, body)
				return
			}
			result.unique++
			result.accepted[strings.Join(names, "+")]++
		case !isTyped(err):
			result.faults.add("%s, %s, %s: error without a type: %w", k.Name, signType, class, err)
		}
	}
	flipBits(t, original.Body, try)
	root, err := peer.Parse([]byte(original.Body))
	if err != nil {
		return err
	}
	n := 0
	edits(root, 0, func(class string, edited peer.Object) {
		if n++; n%t.thin == 0 {
			try(class, peer.Encode(edited))
		}
	})
	for _, body := range respelled(original.Body) {
		try("respelled", []byte(body))
	}
	return result.faults.err()
}

func flipBits(t *trial, body string, try func(class string, body []byte)) {
	for bit := range 8 * len(body) {
		// If only some bits are flipped, another bit of each byte.
		if (bit+bit/8)%t.thin != 0 {
			continue
		}
		flipped := []byte(body)
		flipped[bit/8] ^= 1 << (bit % 8)
		try("bit", flipped)
	}
}

// isTyped reports whether an error has one of the client's types or sentinels.
func isTyped(err error) bool {
	for _, kind := range []error{
		daxpay.ErrSignMissing, daxpay.ErrSignMismatch, daxpay.ErrAmbiguous, daxpay.ErrStale, daxpay.ErrEcho,
		daxpay.ErrNoticeType,
		daxpay.ErrProtocol, daxpay.ErrUnproved, daxpay.ErrTooLarge,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	var refusal *daxpay.GatewayError
	var transport *daxpay.TransportError
	return errors.As(err, &refusal) || errors.As(err, &transport)
}
