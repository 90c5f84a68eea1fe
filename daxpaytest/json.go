package daxpaytest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// encode writes JSON as the gateway does: characters beyond 16 bits as two escapes in answers, and as they are in
// notices.
func encode(v any, answer bool) []byte {
	return appendValue(make([]byte, 0, 512), v, answer)
}

func appendValue(b []byte, v any, answer bool) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendText(b, v, answer)
	case json.Number:
		return append(b, v...)
	case bool:
		return strconv.AppendBool(b, v)
	case object:
		b = append(b, '{')
		for i, p := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, p.Name, answer), ':')
			b = appendValue(b, p.Value, answer)
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, item, answer)
		}
		return append(b, ']')
	}
	return appendText(b, fmt.Sprint(v), answer)
}

func appendText(b []byte, s string, answer bool) []byte {
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\b':
			b = append(b, '\\', 'b')
		case c == '\f':
			b = append(b, '\\', 'f')
		case c < ' ':
			b = fmt.Appendf(b, `\u%04X`, c)
		case c > 0xFFFF && answer:
			high, low := utf16.EncodeRune(c)
			b = fmt.Appendf(b, `\u%04X\u%04X`, high, low)
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return append(b, '"')
}
