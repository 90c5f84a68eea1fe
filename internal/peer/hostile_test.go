package peer_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/peer"
)

// Hostile texts are valid JSON of the wanted size, or with the greatest number of members, and they all differ.
func TestHostile(t *testing.T) {
	seen := make(map[string]bool)
	for _, h := range peer.Hostile(1 << 16) {
		require.True(t, json.Valid(h.Text), h.Name)
		require.InDelta(t, 1<<16, len(h.Text), 1<<11, h.Name)
		require.False(t, seen[h.Name] || seen[string(h.Text)], h.Name)
		seen[h.Name], seen[string(h.Text)] = true, true
	}
	require.Greater(t, len(seen), 40)
}
