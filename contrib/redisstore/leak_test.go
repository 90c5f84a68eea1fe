package redisstore_test

import (
	"os"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/daxpay-go/daxpay/contrib/redisstore"
	"github.com/daxpay-go/daxpay/internal/leak"
	"github.com/daxpay-go/daxpay/internal/sharetest"
	"github.com/daxpay-go/daxpay/reconcile"
)

func TestMain(m *testing.M) {
	sharetest.Main(func(address string) (reconcile.Schedule, error) {
		return redisstore.NewSchedule(redis.NewClient(&redis.Options{Addr: address}), redisstore.Options{})
	})
	os.Exit(leak.Main(m, "pool.startGlobalTimeCache", "maintnotifications."))
}
