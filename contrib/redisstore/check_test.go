package redisstore_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
)

// Doctor reports a Redis that would forget the numbers of payouts.
func TestDoctorChecksRedis(t *testing.T) {
	ctx := context.Background()
	client := server(t)
	s := store(t, client)
	doctor := func() string {
		config := daxpaytest.Start(t).Config()
		config.OnceStore = s
		kit, err := daxpay.New(config)
		require.NoError(t, err)
		return kit.Doctor(ctx).String()
	}
	require.NoError(t, client.ConfigSet(ctx, "maxmemory-policy", "allkeys-lru").Err())
	require.ErrorContains(t, s.CheckStore(ctx), `maxmemory-policy is "allkeys-lru"`)
	require.ErrorContains(t, s.CheckStore(ctx), "appendonly is off")
	require.Contains(t, doctor(), "set it to noeviction")
	require.NoError(t, client.ConfigSet(ctx, "maxmemory-policy", "noeviction").Err())
	require.NoError(t, client.ConfigSet(ctx, "appendonly", "yes").Err())
	require.NoError(t, s.CheckStore(ctx))
	require.Contains(t, doctor(), "keeps what it is given")
	require.NoError(t, client.Close())
	require.ErrorIs(t, s.CheckStore(ctx), redis.ErrClosed)
}
