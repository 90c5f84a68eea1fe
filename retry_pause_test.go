package daxpay

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

// The largest values of Retry make no pause negative, cause no panic, and leave a budget.
func TestRetryWithTheLargestValues(t *testing.T) {
	for _, base := range []time.Duration{1, 1 << 62, 3 << 60, math.MaxInt64} {
		r := Retry{BaseDelay: base, MaxDelay: math.MaxInt64,
			Budget: math.MaxInt / 5}.withDefaults(func(field, _ string) { t.Error(field) })
		for attempt := 2; attempt < 70; attempt++ {
			for _, err := range []error{nil, &GatewayError{Code: gateway.CodeRepeated}} {
				require.GreaterOrEqual(t, r.pause(attempt, err), time.Duration(0))
			}
		}
		var b budget
		b.fill(r.Budget)
		require.True(t, b.take())
	}
}
