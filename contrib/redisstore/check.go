package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/daxpay-go/daxpay"
)

var _ daxpay.StoreChecker = (*Store)(nil)

// CheckStore implements daxpay.StoreChecker. It returns an error if INFO says that Redis may evict keys or writes no
// append-only file. It asks only one server of a ring or a cluster.
func (s *Store) CheckStore(ctx context.Context) error {
	said := make(map[string]string)
	for _, section := range []string{"memory", "persistence"} {
		text, err := within(ctx, func() (string, error) { return s.redis.Info(ctx, section).Result() })
		if err != nil {
			return fmt.Errorf("redisstore: check: %w", err)
		}
		for _, line := range strings.Split(text, "\n") {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			said[name] = value
		}
	}
	var faults []error
	if policy := said["maxmemory_policy"]; policy != "noeviction" {
		faults = append(faults, fmt.Errorf("redisstore: maxmemory-policy is %q: set it to noeviction, "+
			"or Redis forgets claims when its memory is full", policy))
	}
	if said["aof_enabled"] != "1" {
		faults = append(faults, errors.New("redisstore: appendonly is off: a crash of Redis loses claims; switch it on"))
	}
	return errors.Join(faults...)
}
