package daxpaytest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
)

var beijing = time.FixedZone("Asia/Shanghai", 8*60*60)

// The gateway's own way to a signature, on what real gateways signed.
func TestVectors(t *testing.T) {
	total := 0
	for _, file := range []string{"seed-pages.jsonl", "captured.jsonl", "requests.jsonl", "responses.jsonl", "notices.jsonl"} {
		f, err := os.Open(filepath.Join("..", "testdata", "vectors", file))
		require.NoError(t, err)
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			total++
			var v struct {
				Kind, Secret, Body, Canonical, MD5, HMACSHA256 string
				SignType                                       daxpay.SignType
				Verifies                                       *bool
			}
			require.NoError(t, json.Unmarshal(lines.Bytes(), &v))
			o, err := parse([]byte(v.Body))
			require.NoError(t, err)
			if v.Kind == "response" || file == "responses.jsonl" {
				o, _ = o.get("data").(object)
			}
			if v.Canonical != "" {
				require.Equal(t, v.Canonical, canonical(o, beijing)+"&key="+v.Secret)
				require.Equal(t, v.MD5, sign(o, daxpay.MD5, v.Secret, beijing))
				require.Equal(t, v.HMACSHA256, sign(o, daxpay.HMACSHA256, v.Secret, beijing))
			}
			if file != "requests.jsonl" {
				genuine := v.Verifies == nil || *v.Verifies
				require.Equal(t, genuine, o.get("sign") == sign(o, v.SignType, v.Secret, beijing), v.Body)
			}
		}
		require.NoError(t, lines.Err())
	}
	require.Equal(t, 507, total)
}

// agree compares the gateway's text and signature with the client's.
func agree(t *testing.T, text []byte) {
	t.Helper()
	o, err := parse(text)
	require.NoError(t, err)
	for _, signType := range []daxpay.SignType{daxpay.HMACSHA256, daxpay.MD5} {
		signer, err := daxpay.NewSigner(signType, Secret)
		require.NoError(t, err)
		theirs, err := signer.Canonical(text)
		require.NoError(t, err)
		require.Equal(t, canonical(o, beijing), theirs, "%s", text)
		signature, err := signer.Sign(text)
		require.NoError(t, err)
		require.Equal(t, sign(o, signType, Secret, beijing), signature, "%s", text)
	}
}

func TestAgreesWithTheClient(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 10_000 {
		agree(t, encode(randomObject(random, 0)))
	}
}

func randomObject(random *rand.Rand, depth int) object {
	o := object{}
	seen := map[string]bool{}
	for range random.IntN(7) {
		name := randomText(random, 3)
		if random.IntN(6) == 0 {
			name += "Time"
		}
		if folded := foldJava(name); !seen[folded] && !strings.Contains(name, "\ufffd") {
			seen[folded] = true
			o = append(o, pair{name, randomValue(random, depth+1)})
		}
	}
	return o
}

func randomValue(random *rand.Rand, depth int) any {
	kinds := 9
	if depth > 4 {
		kinds = 7
	}
	switch random.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return random.IntN(2) == 0
	case 2:
		return json.Number(fmt.Sprint(random.Int64() - random.Int64()))
	case 3:
		return json.Number([]string{"0", "-0", "1.50", "2.0", "-0.0", "100", "1e2", "1.5E+3", "2.50e-1", "-12.340", "1e-7", "0.000", "1.10e08", "1e-08", "1.0e-010"}[random.IntN(15)])
	case 4:
		return []string{"2024-05-12 15:50:34", "2024-02-30 00:00:00", "2024-5-12 15:50:34", "1715500234"}[random.IntN(4)]
	case 5, 6:
		return randomText(random, 8)
	case 7:
		list := []any{}
		for range random.IntN(4) {
			list = append(list, randomValue(random, depth+1))
		}
		return list
	}
	return randomObject(random, depth)
}

func randomText(random *rand.Rand, length int) string {
	pieces := []string{
		"a", "B", "z", "Z", "_", "0", "é", "É", "单", "支", "😀", "\ue000", "\uffff", `"`, `\`, "/", "\n", "\t", "\r", "\b", "\f", "\x00", "\x1f", "\x7f",
		"\u0080", "\u00a0", "\u00a1", "\u2010", "\u2028", "\u202f", "\u2066", "\u206f", "&", "=", ",", ":", "{", "}", "[", "]", " ", "<", ">", "ı", "ß", "Σ",
	}
	var b strings.Builder
	for range random.IntN(length + 1) {
		b.WriteString(pieces[random.IntN(len(pieces))])
	}
	return b.String()
}

// FuzzAgreement: whatever object both read, they sign alike.
func FuzzAgreement(f *testing.F) {
	random := rand.New(rand.NewPCG(8, 8))
	for range 50 {
		f.Add(encode(randomObject(random, 0)))
	}
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, Secret)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := signer.Canonical(text); err == nil {
			agree(t, text)
		}
	})
}
