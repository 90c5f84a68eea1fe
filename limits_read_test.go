package daxpay

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// offered is a reader that records the largest buffer it was given.
type offered struct {
	io.Reader
	most int
}

func (o *offered) Read(p []byte) (int, error) {
	o.most = max(o.most, len(p))
	return o.Reader.Read(p)
}

// An announced length allocates nothing until the bytes arrive.
func TestReadAllTakesMemoryForWhatComes(t *testing.T) {
	const limit = 1 << 20
	empty := &offered{Reader: iotest.ErrReader(io.ErrUnexpectedEOF)}
	_, err := readAll(empty, limit, limit)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.LessOrEqual(t, empty.most, 32<<10)

	for _, size := range []int{0, 1, 511, 512, 513, 16 << 10, 16<<10 + 1, 100_000, limit - 1, limit} {
		sent := bytes.Repeat([]byte("x"), size)
		for _, announced := range []int64{-1, 0, int64(size)} {
			got, err := readAll(bytes.NewReader(sent), announced, limit)
			require.NoError(t, err)
			require.Equal(t, sent, got)
		}
	}
	_, err = readAll(bytes.NewReader(make([]byte, limit+1)), -1, limit)
	require.ErrorIs(t, err, ErrTooLarge)
}
