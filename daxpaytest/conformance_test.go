package daxpaytest_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exceptions are the steps of testdata/conformance in which this gateway differs from the recording, each with its
// reason. A step that no longer differs fails the test.
var exceptions = map[string]string{
	"208/late-alloc-finish 11": tooClose,
	"207/life-refunds 7":       clockMoved,
	"207/life-refunds 20":      clockMoved,
	"207/life-refunds 22":      clockMoved,
	"207/life-refunds 27":      clockMoved,
	"207/life-refunds 28":      clockMoved,
	"207/life-refunds 34":      clockMoved,
	"207/life-refunds 42":      clockMoved,
	"207/life-refunds 53":      clockMoved,
	"207/life-refunds 66":      clockMoved,
	"206/life-refunds 7":       clockMoved,
	"206/life-refunds 22":      clockMoved,
	"206/life-refunds 27":      clockMoved,
	"206/life-refunds 28":      clockMoved,
	"206/life-refunds 34":      clockMoved,
	"206/life-refunds 42":      clockMoved,
	"206/life-refunds 53":      clockMoved,
	"206/life-refunds 66":      clockMoved,
	"206/life-allocation 20":   dayOfRecording,
	"206/life-allocation 22":   dayOfRecording,
	"206/life-close 2":         dayOfRecording,
	"206/life-expiry 4":        dayOfRecording,
	"206/life-expiry 6":        dayOfRecording,
	"206/life-methods 7":       dayOfRecording,
	"206/life-refunds 20":      dayOfRecording,
	"206/life-refunds 37":      dayOfRecording,
	"206/life-refunds 48":      dayOfRecording,
	"206/life-refunds 59":      dayOfRecording,
	"206/life-refunds 61":      dayOfRecording,
	"206/life-refunds 68":      dayOfRecording,
}

const (
	// tooClose: the step says that a share was paid after a call of 15 s; an earlier step of the same scenario says
	// that it was paid before the call.
	tooClose = "the recorder took events up to 1.2 s before a slow call for events after it"
	// clockMoved: the order has the expiredTime of its first pay, as the step before the second pay shows.
	clockMoved = "the recording's clock moved between the steps, but the scenario has no waits"
	// dayOfRecording: createTime is a literal.
	dayOfRecording = "createTime is from the day of the recording"
)

// TestConformance plays recordings of real gateways. The environment variable DAXPAY_CONFORMANCE names another folder
// of recordings to play as well.
func TestConformance(t *testing.T) {
	own := filepath.Join("..", "testdata", "conformance")
	for _, version := range []string{"208", "207", "206"} {
		t.Run(version, func(t *testing.T) {
			played := playFolder(t, filepath.Join(own, version))
			for key := range exceptions {
				if same, ok := played[key]; strings.HasPrefix(key, version+"/") && (!ok || same) {
					t.Errorf("%s: it stands on the list of exceptions, but is not there, or is the same", key)
				}
			}
		})
	}
	if more := os.Getenv("DAXPAY_CONFORMANCE"); more != "" {
		t.Run("more", func(t *testing.T) { playFolder(t, more) })
	}
}

// figures are the counts of steps of a version.
type figures struct{ played, same int }

// playFolder plays the scenarios in a folder, and returns for each step whether it agrees with the recording.
func playFolder(t *testing.T, folder string) map[string]bool {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(folder, //nolint:gosec // the one who runs the test names it
		func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".json") {
				files = append(files, path)
			}
			return err
		}))
	require.NotEmpty(t, files)
	sums := make(map[string]*figures)
	played := make(map[string]bool)
	for i, file := range files {
		s, err := loadScenario(file)
		require.NoError(t, err, file)
		sum := sums[s.version]
		if sum == nil {
			sum = &figures{}
			sums[s.version] = sum
		}
		p := newPlayer(s, i)
		err = p.play(func(step int, differences []string) {
			key := fmt.Sprintf("%s/%s %d", strings.ReplaceAll(s.version, ".", ""), s.name, step)
			played[key] = len(differences) == 0
			sum.played++
			reason, excepted := exceptions[key]
			switch {
			case len(differences) == 0:
				sum.same++
			case !excepted:
				t.Errorf("%s: %s", key, strings.Join(differences, "\n\t"))
			default:
				t.Logf("%s: differs because %s", key, reason)
			}
		})
		p.close()
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	for version, sum := range sums {
		t.Logf("%s: %d steps played, %d the same", version, sum.played, sum.same)
	}
	return played
}
