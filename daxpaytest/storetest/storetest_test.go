package storetest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest/storetest"
	"github.com/daxpay-go/daxpay/reconcile"
)

func TestMemory(t *testing.T) {
	require.NoError(t, storetest.TestStore(context.Background(), daxpay.NewMemoryStore(0)))
	require.NoError(t, storetest.TestStore(context.Background(), daxpay.NewMemoryStore(150)))
}

// faulty breaks one promise of the store within.
type faulty struct {
	daxpay.OnceStore
	claim   func(s store, key, owner string, lease life) (state, error)
	done    func(s store, key, owner string, remember life) error
	release func(s store, key, owner string) error
}

func (s *faulty) Claim(ctx context.Context, key, owner string, lease time.Duration) (daxpay.ClaimState, error) {
	if s.claim != nil {
		return s.claim(s.OnceStore, key, owner, lease)
	}
	return s.OnceStore.Claim(ctx, key, owner, lease)
}

func (s *faulty) Done(ctx context.Context, key, owner string, remember time.Duration) error {
	if s.done != nil {
		return s.done(s.OnceStore, key, owner, remember)
	}
	return s.OnceStore.Done(ctx, key, owner, remember)
}

func (s *faulty) Release(ctx context.Context, key, owner string) error {
	if s.release != nil {
		return s.release(s.OnceStore, key, owner)
	}
	return s.OnceStore.Release(ctx, key, owner)
}

// Short names for the signatures of faulty methods.
type (
	store    = daxpay.OnceStore
	state    = daxpay.ClaimState
	schedule = reconcile.Schedule
	turn     = reconcile.Turn
	life     = time.Duration
)

// errCut is what a faulty method returns.
var errCut = errors.New("cut")

func TestFaultsOfAStore(t *testing.T) {
	ctx := context.Background()
	for name, tt := range map[string]struct {
		faulty
		want string
	}{
		"everyone gets the key": {faulty{claim: func(store, string, string, life) (state, error) {
			return daxpay.ClaimGranted, nil
		}}, "another holds it"},
		"claims fail": {faulty{claim: func(store, string, string, life) (state, error) {
			return 0, errCut
		}}, "cut"},
		"no state for a busy key": {faulty{claim: func(s store, key, owner string, lease life) (state, error) {
			got, err := s.Claim(ctx, key, owner, lease)
			if got == daxpay.ClaimBusy {
				got = 0
			}
			return got, err
		}}, "is ClaimState(0) and not ClaimBusy"},
		"no renewal": {faulty{claim: func(s store, key, _ string, lease life) (state, error) {
			got, err := s.Claim(ctx, key, "anonymous", lease)
			if got == daxpay.ClaimGranted {
				return got, s.Release(ctx, key, "another")
			}
			return got, err
		}}, "another holds it"},
		"0 is a short lease": {faulty{claim: func(s store, key, owner string, lease life) (state, error) {
			return s.Claim(ctx, key, owner, max(lease, time.Millisecond))
		}}, "claimed for good"},
		"a lost claim cannot be finished": {faulty{done: func(s store, key, owner string, remember life) error {
			if got, err := s.Claim(ctx, key, "a stranger", time.Minute); got == daxpay.ClaimGranted {
				return errors.Join(err, s.Release(ctx, key, "a stranger"))
			}
			return s.Done(ctx, key, owner, remember)
		}}, "Done marks a key whose claim the store lost"},
		"finishing what another holds": {faulty{done: func(s store, key, owner string, remember life) error {
			return errors.Join(s.Forget(ctx, key), s.Done(ctx, key, owner, remember))
		}}, "only the owner can finish it"},
		"anyone releases": {faulty{release: func(s store, key, _ string) error {
			return s.Forget(ctx, key)
		}}, "only the owner can release it"},
		"done for good does not last": {faulty{done: func(s store, key, owner string, remember life) error {
			return s.Done(ctx, key, owner, max(remember, time.Millisecond))
		}}, "finished for good"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.OnceStore = daxpay.NewMemoryStore(0)
			require.ErrorContains(t, storetest.TestStore(ctx, &tt.faulty), tt.want)
		})
	}
	require.ErrorIs(t, storetest.TestStore(ctx, daxpay.NewMemoryStore(1)), daxpay.ErrStoreFull)
}
