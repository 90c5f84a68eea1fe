package daxpay_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
)

// vector is a line of testdata/vectors: a message that a gateway or a client signed.
type vector struct {
	File, Page, Kind, Type           string
	Secret                           string
	SignType                         daxpay.SignType
	Body, Canonical, MD5, HMACSHA256 string
	Verifies                         *bool
	Note                             string
}

var vectorFiles = []string{"seed-pages.jsonl", "captured.jsonl", "requests.jsonl", "responses.jsonl", "notices.jsonl"}

func readVectors(t testing.TB, file string) []vector {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "vectors", file))
	require.NoError(t, err)
	defer f.Close()
	var vectors []vector
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		v := vector{File: file}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &v))
		vectors = append(vectors, v)
	}
	require.NoError(t, lines.Err())
	return vectors
}

// signed is the object of a vector that carries the signature.
func (v vector) signed(t testing.TB) []byte {
	t.Helper()
	if v.Kind != "response" && v.File != "responses.jsonl" {
		return []byte(v.Body)
	}
	var envelope struct{ Data json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(v.Body), &envelope))
	return envelope.Data
}

func TestSignerAgreesWithEveryVector(t *testing.T) {
	total := 0
	for _, file := range vectorFiles {
		for i, v := range readVectors(t, file) {
			total++
			object := v.signed(t)
			if v.SignType == "" {
				v.SignType = daxpay.HMACSHA256
			}
			own, err := daxpay.NewSigner(v.SignType, v.Secret)
			require.NoError(t, err)
			if v.Canonical != "" {
				for signType, want := range map[daxpay.SignType]string{daxpay.HMACSHA256: v.HMACSHA256, daxpay.MD5: v.MD5} {
					signer, err := daxpay.NewSigner(signType, v.Secret)
					require.NoError(t, err)
					canonical, err := signer.Canonical(object)
					require.NoError(t, err)
					require.Equal(t, v.Canonical, canonical+"&key="+v.Secret, "%s line %d", file, i+1)
					sign, err := signer.Sign(object)
					require.NoError(t, err)
					require.Equal(t, want, sign, "%s line %d", file, i+1)
				}
			}
			switch {
			case file == "requests.jsonl":
				require.ErrorIs(t, own.Verify(object), daxpay.ErrSignMissing)
			case v.Verifies != nil && !*v.Verifies:
				require.ErrorIs(t, own.Verify(object), daxpay.ErrSignMismatch, "%s line %d", file, i+1)
			default:
				require.NoError(t, own.Verify(object), "%s line %d", file, i+1)
			}
		}
	}
	require.Equal(t, 507, total)
}

// at is a clock that stands still.
func at(seconds int64) func() time.Time {
	return func() time.Time { return time.Unix(seconds, 0) }
}
