package sqlstore

import (
	"context"
	"fmt"

	"github.com/daxpay-go/daxpay"
)

var _ daxpay.StoreChecker = (*Store)(nil)

// CheckStore implements daxpay.StoreChecker. It returns an error if the table is missing or cannot be written to, such
// as on a replica. It changes nothing: it releases a claim that does not exist.
func (s *Store) CheckStore(ctx context.Context) error {
	if err := s.run(ctx, s.release, values{key: "daxpay:check", owner: "daxpay:check"}); err != nil {
		return fmt.Errorf("sqlstore: the store does not work: %w", err)
	}
	return nil
}
