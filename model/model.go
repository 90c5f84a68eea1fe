// Package model holds what a gateway answers: one struct for a kind of answer, the codes that occur in them as typed
// strings, and Time. A member that the gateway left out or sent as null is the zero value of its field.
//
// A code that a newer gateway invents is kept as it came; compare with the constants and have a default case.
package model

import (
	"strconv"
	"time"
)

// Common holds the members that every signed answer has, but for two: the code, which is 0 in all that reach the
// caller, and the signature, which was verified and is not for whoever gets the model as JSON. Both are in
// daxpay.Result.Raw.
type Common struct {
	// Msg is the gateway's remark, mostly empty.
	Msg string `json:"msg" daxpay:"text"`
	// ResTime is when the gateway answered (响应时间).
	ResTime Time `json:"resTime"`
	// SecretIndex tells of a notice which secret it is signed with: 0 for Config.SignSecret, n for the nth of
	// Config.PreviousSecrets, counted from 1. Of an answer, daxpay.Result tells it.
	SecretIndex int `json:"-"`
}

// Time is a point in time with a resolution of one second. The zero value means that the gateway sent none. It has the
// zone of Config.Location and prints as Unix seconds in JSON.
type Time struct{ time.Time }

// MarshalJSON writes Unix seconds, or null for the zero value.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, t.Unix(), 10), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	seconds, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return err
	}
	t.Time = time.Unix(seconds, 0)
	return nil
}
