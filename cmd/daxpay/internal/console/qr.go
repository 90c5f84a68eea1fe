package console

import (
	"bytes"
	"fmt"

	"github.com/yeqown/go-qrcode/v2"
)

// svgWriter draws a code as one path.
type svgWriter struct{ out bytes.Buffer }

const quiet = 4 // modules around a code

// Write implements qrcode.Writer.
func (s *svgWriter) Write(m qrcode.Matrix) error {
	size := m.Width() + 2*quiet
	fmt.Fprintf(&s.out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="240" height="240" `+
		`shape-rendering="crispEdges"><rect width="100%%" height="100%%" fill="#fff"/><path fill="#000" d="`, size, size)
	m.Iterate(qrcode.IterDirection_ROW, func(x, y int, v qrcode.QRValue) {
		if v.IsSet() {
			fmt.Fprintf(&s.out, "M%d %dh1v1h-1z", x+quiet, y+quiet)
		}
	})
	s.out.WriteString(`"/></svg>`)
	return nil
}

// Close implements qrcode.Writer.
func (*svgWriter) Close() error { return nil }

func qrSVG(text string) ([]byte, error) {
	code, err := qrcode.NewWith(
		text,
		qrcode.WithEncodingMode(qrcode.EncModeByte),
		qrcode.WithErrorCorrectionLevel(qrcode.ErrorCorrectionMedium),
	)
	if err != nil {
		return nil, err
	}
	var w svgWriter
	if err := code.Save(&w); err != nil {
		return nil, err
	}
	return w.out.Bytes(), nil
}
