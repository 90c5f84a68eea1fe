package leak

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

type tests func() int

func (t tests) Run() int { return t() }

func TestWait(t *testing.T) {
	require.Empty(t, Wait(time.Minute))

	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		<-stop
		close(stopped)
	}()
	left := Wait(20 * time.Millisecond)
	require.Len(t, left, 1)
	require.Contains(t, string(left[0]), "TestWait")
	require.Empty(t, Wait(time.Minute, "leak.TestWait"), "what is kept does not count")
	require.Equal(t, 3, Main(tests(func() int { return 3 })), "what failed, failed")
	time.AfterFunc(20*time.Millisecond, func() { close(stop) })
	require.Empty(t, Wait(time.Minute), "what is about to end is waited for")
	<-stopped
	require.Zero(t, Main(tests(func() int { return 0 })))
}
