package wire

import "time"

// ParseTime reads yyyy-MM-dd HH:mm:ss, the one form in which the gateway prints times, and nothing else.
func ParseTime(s []byte, zone *time.Location) (time.Time, bool) {
	const form = "dddd-dd-dd dd:dd:dd"
	if len(s) != len(form) {
		return time.Time{}, false
	}
	var parts [6]int
	part := 0
	for i, c := range s {
		switch {
		case form[i] == 'd' && '0' <= c && c <= '9':
			parts[part] = parts[part]*10 + int(c-'0')
		case form[i] != 'd' && form[i] == c:
			part++
		default:
			return time.Time{}, false
		}
	}
	when := time.Date(parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], 0, zone)
	if when.Month() != time.Month(parts[1]) || when.Day() != parts[2] || when.Minute() != parts[4] || when.Second() != parts[5] {
		return time.Time{}, false
	}
	return when, parts[1] > 0 && parts[3] < 24
}

// isTimeName tells whether a member of that name is a time, which the gateway signs as Unix seconds.
func isTimeName(name []byte) bool {
	const suffix = "Time"
	n := len(name)
	return n >= len(suffix) && name[n-1] == 'e' && string(name[n-len(suffix):]) == suffix
}
