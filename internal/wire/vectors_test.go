package wire

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var shanghai = time.FixedZone("CST", 8*60*60)

type vector struct {
	Type, Page, Kind, Secret, SignType string
	Body, Canonical, MD5, HMACSHA256   string
	Verifies                           *bool
}

func readVectors(t testing.TB, name string) []vector {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "testdata", "vectors", name))
	require.NoError(t, err)
	defer f.Close()
	var vectors []vector
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v vector
		require.NoError(t, json.Unmarshal(lines.Bytes(), &v))
		vectors = append(vectors, v)
	}
	require.NoError(t, lines.Err())
	return vectors
}

func TestVectors(t *testing.T) {
	total := 0
	for _, name := range []string{"seed-pages.jsonl", "captured.jsonl", "requests.jsonl", "responses.jsonl",
		"notices.jsonl"} {
		for i, v := range readVectors(t, name) {
			total++
			var outer, inner Object
			require.NoError(t, outer.ReadWith([]byte(v.Body), &inner, "data"))
			o := &outer
			if v.Kind == "response" || name == "responses.jsonl" {
				o = &inner
			}
			canonical, err := o.AppendCanonical(nil, shanghai)
			require.NoError(t, err)
			hmacKey, md5Key := NewKey(HMACSHA256, v.Secret), NewKey(MD5, v.Secret)
			if v.Canonical != "" {
				require.Equal(t, v.Canonical, string(canonical)+KeyLabel+v.Secret, "%s line %d", name, i+1)
				for key, want := range map[*Key]string{hmacKey: v.HMACSHA256, md5Key: v.MD5} {
					sign, err := key.AppendSign(nil, o, shanghai)
					require.NoError(t, err)
					require.Equal(t, want, string(sign), "%s line %d", name, i+1)
				}
			}
			if name == "requests.jsonl" {
				continue
			}
			key, want := hmacKey, Genuine
			if v.SignType == "MD5" {
				key = md5Key
			}
			if v.Verifies != nil && !*v.Verifies {
				want = Forged
			}
			verdict, _, err := Verify([]*Key{key}, o, shanghai)
			require.NoError(t, err)
			require.Equal(t, want, verdict, "%s line %d", name, i+1)
		}
	}
	require.Equal(t, 507, total)
}
