package sqlstore

import (
	"context"
	"fmt"

	"github.com/daxpay-go/daxpay"
)

var _ daxpay.StoreChecker = (*Store)(nil)

// CheckStore implements daxpay.StoreChecker: it says if the table cannot be written to, such as when it is not there or
// the database is a replica. It writes nothing: it releases a claim that is not there.
func (s *Store) CheckStore(ctx context.Context) error {
	if err := s.Release(ctx, "daxpay:check", "nobody"); err != nil {
		return fmt.Errorf("sqlstore: the store does not work: %w", err)
	}
	return nil
}
