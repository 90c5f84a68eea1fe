package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/model"
)

// hostile measures the worst of the hostile megabytes, with as many members as a Signer accepts: to read it, to sign it
// and to screen it.
func hostile(m *meter) []row {
	plan, key := must(wire.PlanOf(reflect.TypeFor[model.PayNotice]())), wire.NewKey(wire.HMACSHA256, secret)
	var worst row
	texts := peer.Hostile(1 << 20)
	for _, h := range texts {
		f := m.measure("Hostile/"+h.Name,
			once(h.Name, func() error {
				var o wire.Object
				if err := o.Read(h.Text); err != nil {
					return err
				}
				if _, err := key.AppendSign(nil, &o, time.UTC); err != nil {
					return err
				}
				_ = plan.Screen(&o, wire.Screening{}) // which may refuse it
				return nil
			}),
			once("json.Valid", func() error {
				if !json.Valid(h.Text) {
					return errors.New("not JSON")
				}
				return nil
			}),
		)
		if r := compared(h.Name, f[0], f[1], target(10)); r.value.median > worst.value.median {
			worst = r
		}
	}
	worst.work = fmt.Sprintf("the worst of %d hostile megabytes: %s", len(texts), worst.work)
	return []row{worst}
}
