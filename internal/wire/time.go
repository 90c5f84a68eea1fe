package wire

import "time"

// ParseTime reads yyyy-MM-dd HH:mm:ss, the one form in which the gateway prints times, and nothing else.
func ParseTime(s []byte, zone *time.Location) (time.Time, bool) {
	if len(s) != len(time.DateTime) {
		return time.Time{}, false
	}
	when, err := time.ParseInLocation(time.DateTime, string(s), zone)
	// Package time also reads other forms, and times that a change of clocks leaves out; it prints neither so.
	return when, err == nil && when.Format(time.DateTime) == string(s)
}

// isTimeName tells whether a member of that name is a time, which the gateway signs as Unix seconds.
func isTimeName(name []byte) bool {
	const suffix = "Time"
	n := len(name)
	return n >= len(suffix) && name[n-1] == 'e' && string(name[n-len(suffix):]) == suffix
}
