package storetest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest/storetest"
	"github.com/daxpay-go/daxpay/internal/memschedule"
	"github.com/daxpay-go/daxpay/reconcile"
)

func TestScheduleInMemory(t *testing.T) {
	require.NoError(t, storetest.TestSchedule(context.Background(), memschedule.New(time.Now)))
}

// faultySchedule breaks one promise of the schedule within.
type faultySchedule struct {
	*memschedule.Schedule
	claim    func(s schedule, key, owner string, lease life) (turn, error)
	giveBack func(s schedule, key, owner, note string, pause life) error
}

func (s *faultySchedule) Claim(
	ctx context.Context, key, owner string, lease time.Duration,
) (reconcile.Turn, error) {
	if s.claim != nil {
		return s.claim(s.Schedule, key, owner, lease)
	}
	return s.Schedule.Claim(ctx, key, owner, lease)
}

func (s *faultySchedule) Return(ctx context.Context, key, owner, note string, pause time.Duration) error {
	if s.giveBack != nil {
		return s.giveBack(s.Schedule, key, owner, note, pause)
	}
	return s.Schedule.Return(ctx, key, owner, note, pause)
}

func TestFaultsOfASchedule(t *testing.T) {
	ctx := context.Background()
	for name, tt := range map[string]struct {
		faultySchedule
		want string
	}{
		"everyone gets the order": {faultySchedule{claim: func(schedule, string, string, life) (turn, error) {
			return turn{Granted: true}, nil
		}}, "another holds it"},
		"claims fail": {faultySchedule{claim: func(schedule, string, string, life) (turn, error) {
			return turn{}, errCut
		}}, "cut"},
		"no wait is given": {faultySchedule{claim: func(s schedule, key, owner string, lease life) (turn, error) {
			got, err := s.Claim(ctx, key, owner, lease)
			got.Wait = 0
			return got, err
		}}, "to wait for 0s"},
		"leases are not renewed": {faultySchedule{claim: func(s schedule, key, owner string, lease life) (turn, error) {
			return s.Claim(ctx, key, owner, min(lease, 100*time.Millisecond))
		}}, "the lease was renewed"},
		"pauses are not kept": {faultySchedule{giveBack: func(s schedule, key, owner, note string, _ life) error {
			return s.Return(ctx, key, owner, note, 0)
		}}, "it pauses"},
		"notes are cut": {faultySchedule{giveBack: func(s schedule, key, owner, note string, pause life) error {
			return s.Return(ctx, key, owner, note[:min(len(note), 999)], pause)
		}}, "has the note"},
		"anyone returns it": {faultySchedule{giveBack: func(s schedule, key, owner, note string, pause life) error {
			_ = s.Return(ctx, key, owner, note, pause)
			return nil
		}}, "which is not ErrClaimLost"},
		"nothing is returned late": {faultySchedule{giveBack: func(s schedule, key, owner, note string, pause life) error {
			if got, _ := s.Claim(ctx, key, "probe", time.Minute); got.Granted {
				return errors.Join(daxpay.ErrClaimLost, s.Return(ctx, key, "probe", got.Note, 0))
			}
			return s.Return(ctx, key, owner, note, pause)
		}}, `Return("never", "1"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.Schedule = memschedule.New(time.Now)
			require.ErrorContains(t, storetest.TestSchedule(ctx, &tt.faultySchedule), tt.want)
		})
	}
}
