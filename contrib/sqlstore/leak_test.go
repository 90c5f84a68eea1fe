package sqlstore_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/daxpay-go/daxpay/contrib/sqlstore"
	"github.com/daxpay-go/daxpay/internal/leak"
	"github.com/daxpay-go/daxpay/internal/sharetest"
	"github.com/daxpay-go/daxpay/reconcile"
)

func TestMain(m *testing.M) {
	sharetest.Main(func(dsn string) (reconcile.Schedule, error) {
		name, dsn, _ := strings.Cut(dsn, " ")
		for _, d := range databases() {
			if d.name == name {
				db, err := sql.Open(d.driver, dsn)
				if err != nil {
					return nil, err
				}
				db.SetMaxOpenConns(map[sqlstore.Dialect]int{sqlstore.SQLite: 1}[d.dialect])
				db.SetMaxIdleConns(16)
				return sqlstore.NewSchedule(db, d.dialect, sqlstore.Options{})
			}
		}
		return nil, os.ErrNotExist
	})
	os.Exit(leak.Main(m))
}
