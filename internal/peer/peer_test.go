package peer

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
)

const secret = "123456"

var beijing = time.FixedZone("Asia/Shanghai", 8*60*60)

// The peer computes the signatures of messages that real gateways signed.
func TestVectors(t *testing.T) {
	total := 0
	for _, file := range []string{"seed-pages.jsonl", "captured.jsonl", "requests.jsonl", "responses.jsonl",
		"notices.jsonl"} {
		f, err := os.Open(filepath.Join("..", "..", "testdata", "vectors", file))
		require.NoError(t, err)
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			total++
			var v struct {
				Kind, Secret, SignType, Body, Canonical, MD5, HMACSHA256 string
				Verifies                                                 *bool
			}
			require.NoError(t, json.Unmarshal(lines.Bytes(), &v))
			o, err := Parse([]byte(v.Body))
			require.NoError(t, err)
			if v.Kind == "response" || file == "responses.jsonl" {
				o, _ = o.Get("data").(Object)
			}
			if v.Canonical != "" {
				require.Equal(t, v.Canonical, Canonical(o, beijing)+"&key="+v.Secret)
				require.Equal(t, v.MD5, Sign(o, MD5, v.Secret, beijing))
				require.Equal(t, v.HMACSHA256, Sign(o, HMACSHA256, v.Secret, beijing))
			}
			if file != "requests.jsonl" {
				genuine := v.Verifies == nil || *v.Verifies
				require.Equal(t, genuine, o.Get("sign") == Sign(o, v.SignType, v.Secret, beijing), v.Body)
			}
		}
		require.NoError(t, lines.Err())
	}
	require.Equal(t, 507, total)
}

// agree compares the peer's text and signature with the client's.
func agree(t *testing.T, text []byte) {
	t.Helper()
	o, err := Parse(text)
	require.NoError(t, err)
	for _, signType := range []daxpay.SignType{daxpay.HMACSHA256, daxpay.MD5} {
		signer, err := daxpay.NewSigner(signType, secret)
		require.NoError(t, err)
		theirs, err := signer.Canonical(text)
		require.NoError(t, err)
		require.Equal(t, Canonical(o, beijing), theirs, "%s", text)
		signature, err := signer.Sign(text)
		require.NoError(t, err)
		require.Equal(t, Sign(o, string(signType), secret, beijing), signature, "%s", text)
	}
}

func TestAgreesWithTheClient(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 10_000 {
		agree(t, Encode(Random(random)))
	}
}

// FuzzAgreement checks that the peer and the client sign every object that both can read alike.
func FuzzAgreement(f *testing.F) {
	random := rand.New(rand.NewPCG(8, 8))
	for range 50 {
		f.Add(Encode(Random(random)))
	}
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := signer.Canonical(text); err == nil {
			agree(t, text)
		}
	})
}

// The in-process gateway reads any message that a test sends. A number with a huge exponent must not be expanded to a
// billion digits.
func TestHugeExponents(t *testing.T) {
	for _, n := range []string{"1e999999999", "-1E-999999999", "1e99999999999999999999"} {
		o, err := Parse([]byte(`{"a":` + n + `}`))
		require.NoError(t, err)
		require.Equal(t, "a="+n, Canonical(o, beijing))
	}
}

// Nested numbers as gateways print them: measured ones, and others as Java prints them.
func TestNumbers(t *testing.T) {
	rows := map[string]string{
		"1.50": "1.5", "2.0": "2", "1e3": "1000", "9999999.5": "9999999.5", "0.001": "0.001", "2.0e-3": "0.002", "-0.0": "-0",
		"0.0": "0", "-0": "0",
		"0.1234567890123456789": "0.12345678901234568", "12345678.9": "1.23456789E7", "1e7": "1.0E7", "10000000.0": "1.0E7",
		"0.0001": "1.0E-4",
		"1e-7":   "1.0E-7", "123456789.123": "1.23456789123E8", "1e20": "1.0E20",
		"12345678901234567890123": "12345678901234567890123", "1e400": "1e400",
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "numbers", "double-tostring.txt"))
	require.NoError(t, err)
	for _, line := range strings.Split(string(text), "\n") {
		if sent, printed, ok := strings.Cut(line, " "); ok && sent != "#" {
			if !strings.Contains(printed, "E") {
				printed = strings.TrimSuffix(printed, ".0")
			}
			rows[sent] = printed
		}
	}
	require.Greater(t, len(rows), 300)
	for sent, want := range rows {
		o, err := Parse([]byte(`{"a":{"x":` + sent + `},"b":[null,` + sent + `,[null]]}`))
		require.NoError(t, err)
		require.Equal(t, "a={x:"+want+"}&b=["+want+",[]]", Canonical(o, beijing), sent)
	}
}
