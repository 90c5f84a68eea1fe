package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible escapes a text, and shows what is invisible in it: control characters, byte order and direction marks.
func visible(s string) template.HTML {
	return template.HTML(appendVisible(nil, s, false)) //nolint:gosec // it is escaped
}

func appendVisible(b []byte, s string, lines bool) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b = fmt.Appendf(b, `<span class="ws" title="byte">\x%02x</span>`, s[0])
		case r == '\n' && lines:
			b = append(b, '\n')
		case r == '\n':
			b = append(b, `<span class="ws" title="U+000A">\n</span>`...)
		case r == '\r':
			b = append(b, `<span class="ws" title="U+000D">\r</span>`...)
		case r == '\t':
			b = append(b, `<span class="ws" title="U+0009">\t</span>`...)
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			b = fmt.Appendf(b, `<span class="ws" title="U+%04X">U+%04X</span>`, r, r)
		default:
			b = append(b, template.HTMLEscapeString(s[:n])...)
		}
		s = s[n:]
	}
	return b
}

// highlight shows JSON with line breaks and colours. The values are as they were sent: nothing is decoded.
func highlight(body []byte) template.HTML {
	if len(body) == 0 {
		return ""
	}
	var indented bytes.Buffer
	if depth(body) > deepest || json.Indent(&indented, body, "", "  ") != nil {
		return template.HTML(appendVisible(nil, string(body), true)) //nolint:gosec // it is escaped
	}
	var b []byte
	for _, line := range strings.Split(indented.String(), "\n") {
		b = append(b, `<span class="jl">`...)
		b = appendLine(b, line)
		b = append(b, "\n</span>"...)
	}
	return template.HTML(b) //nolint:gosec // it is escaped
}

// deepest is how deep JSON may be nested to be indented: each line of it gets as many columns.
const deepest = 50

// depth is how deep JSON is nested.
func depth(body []byte) int {
	most, now := 0, 0
	quoted := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '{', c == '[':
			now++
			most = max(most, now)
		case c == '}', c == ']':
			now--
		}
	}
	return most
}

// appendLine colours the tokens of a line of indented JSON.
func appendLine(b []byte, line string) []byte {
	for i := 0; i < len(line); {
		switch c := line[i]; {
		case c == '"':
			end := i + 1
			for end < len(line) && line[end] != '"' {
				if line[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(line))
			class := "s"
			if strings.HasPrefix(line[end:], ":") {
				class = "k"
			}
			b = fmt.Appendf(b, `<span class="%s">`, class)
			b = append(appendVisible(b, line[i:end], false), "</span>"...)
			i = end
		case c == '-' || c >= '0' && c <= '9':
			end := i
			for end < len(line) && strings.IndexByte("+-.eE0123456789", line[end]) >= 0 {
				end++
			}
			b = fmt.Appendf(b, `<span class="n">%s</span>`, line[i:end])
			i = end
		case c >= 'a' && c <= 'z':
			end := i
			for end < len(line) && line[end] >= 'a' && line[end] <= 'z' {
				end++
			}
			b = fmt.Appendf(b, `<span class="u">%s</span>`, line[i:end])
			i = end
		default:
			b = append(b, template.HTMLEscapeString(line[i:i+1])...)
			i++
		}
	}
	return b
}
