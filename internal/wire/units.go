package wire

// units counts characters as the gateway does, in UTF-16: an emoji is two.
func units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// jsonUnits counts the characters of the JSON that the gateway stores for a valid JSON text.
func jsonUnits(raw []byte) int {
	n := 0
	for i := 0; i < len(raw); {
		switch {
		case raw[i] == '"':
			text := valueAt(raw, i)
			n += quotedUnits(string(text.Text()))
			i += len(text.Raw)
		case classes[raw[i]]&space != 0:
			i++
		default:
			n++
			i++
		}
	}
	return n
}

// quotedUnits counts the characters of a string in the gateway's JSON.
func quotedUnits(s string) int {
	n := len(`""`) + units(s)
	for _, r := range s {
		switch {
		case r == '"', r == '\\', r == '\b', r == '\f', r == '\n', r == '\r', r == '\t':
			n++
		case gatewayEscapes(r):
			n += len(`u0000`)
		}
	}
	return n
}
