package main

import (
	"fmt"
	"regexp"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

// swapping sends genuine messages in place of others: each kind, about the same orders and about others, as every kind.
// The signature binds neither the kind nor the request, so some are accepted; it counts them. A message must never be
// accepted if it names another order or lacks what proves success, nor, by a call that moves money, if it names no
// order.
func swapping(t *trial) error {
	const signType = daxpay.HMACSHA256
	r, err := message.NewReceiver(signType, nil)
	if err != nil {
		return err
	}
	var f faults
	kinds := message.Kinds()
	same, other, pairs := 0, 0, 0
	for i := range kinds {
		k := &kinds[i]
		if k.IsNotice() && kinds[i-1].IsNotice() {
			continue // one kind is enough: the message itself says what kind of notice it is
		}
		for j := range kinds {
			for _, renumbered := range []bool{false, true} {
				if i == j && !renumbered || k.IsNotice() && kinds[j].IsNotice() {
					continue // that is the message itself
				}
				members := kinds[j].Members()
				if renumbered {
					members = renumber(members)
				}
				object := kinds[j].Seal(members, signType).Object
				body := []byte(k.Wrap(object))
				pairs++
				outcome, err := r.Receive(k, body)
				if err != nil {
					if !isTyped(err) {
						f.add("%s for %s: an error without a type: %w", kinds[j].Name, k.Name, err)
					}
					continue
				}
				if same++; renumbered {
					same, other = same-1, other+1
				}
				if complaint := swapped(k, object, body, outcome, renumbered); complaint != "" {
					f.add("%s for %s: %s: %s", kinds[j].Name, k.Name, complaint, object)
				}
			}
		}
	}
	t.say("%d genuine messages in the place of others: %d about the same orders and %d about others accepted, as the "+
		"signature binds neither kind nor request", pairs, same, other)
	t.say("%d against what was asked", f.count)
	return f.err()
}

var numbers = regexp.MustCompile(`"([A-Z]{1,2})1"|"DEVP24051215501900000"`)

// renumber gives the orders of a message other numbers.
func renumber(members string) string { return numbers.ReplaceAllString(members, `"${1}9"`) }

// swapped returns what is wrong with accepting a message of another kind, "" if nothing is.
func swapped(k *message.Kind, object string, body []byte, outcome *message.Outcome, renumbered bool) string {
	if err := message.Genuine(body, outcome, daxpay.HMACSHA256); err != nil {
		return err.Error()
	}
	o, err := peer.Parse([]byte(object))
	if err != nil {
		return err.Error()
	}
	for _, name := range message.ProofsOf(outcome) {
		if value := o.Get(name); value == nil || value == "" {
			return "it has no " + name
		}
	}
	if !renumbered {
		return ""
	}
	for _, name := range k.Echoes {
		if value := o.Get(name); value != nil {
			return fmt.Sprintf("it is about another order: %s is %v", name, value)
		}
	}
	if !k.IsNotice() && !k.Unnamed {
		return "it names no order, and the answer to this call must"
	}
	return ""
}
