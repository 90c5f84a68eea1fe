package storetest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest/storetest"
)

func TestMemory(t *testing.T) {
	require.NoError(t, storetest.TestStore(context.Background(), daxpay.NewMemoryStore(0)))
	require.NoError(t, storetest.TestStore(context.Background(), daxpay.NewMemoryStore(150)))
}

// faulty breaks one promise of the store within.
type faulty struct {
	daxpay.OnceStore
	claim   func(daxpay.OnceStore, string, string, time.Duration) (daxpay.ClaimState, error)
	done    func(daxpay.OnceStore, string, string, time.Duration) error
	release func(daxpay.OnceStore, string, string) error
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

func TestFaultsAreFound(t *testing.T) {
	ctx := context.Background()
	cut := errors.New("cut")
	type (
		store = daxpay.OnceStore
		state = daxpay.ClaimState
		life  = time.Duration
	)
	for name, tt := range map[string]struct {
		faulty
		want string
	}{
		"everybody gets it": {faulty{claim: func(store, string, string, life) (state, error) {
			return daxpay.ClaimGranted, nil
		}}, "another holds it"},
		"it fails": {faulty{claim: func(store, string, string, life) (state, error) {
			return 0, cut
		}}, "cut"},
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
			if got, err := s.Claim(ctx, key, "somebody", time.Minute); got == daxpay.ClaimGranted {
				return errors.Join(err, s.Release(ctx, key, "somebody"))
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
