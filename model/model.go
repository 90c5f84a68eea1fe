// Package model holds what the gateway sends: one struct for each kind of answer and notice, the codes in them as typed
// strings, and Time. A member that the gateway leaves out or sends as null is the zero value of its field.
//
// An unknown code, such as one of a newer gateway, is kept as it is: compare with the constants, and have a default
// case.
package model

import (
	"strconv"
	"time"
)

// Common holds the members that every signed answer and notice has. It leaves out two: code, which is always 0 here,
// and sign, which was verified and must not appear when a model is written as JSON. Both are in daxpay.Result.Raw.
type Common struct {
	// Msg is the gateway's remark, usually empty.
	Msg string `json:"msg" daxpay:"text"`
	// ResTime is when the gateway made the answer or notice (响应时间).
	ResTime Time `json:"resTime"`
	// SecretIndex says which secret signed a notice: 0 is Config.SignSecret, n is Config.PreviousSecrets[n-1]. For
	// answers it is 0: see daxpay.Result.SecretIndex.
	SecretIndex int `json:"-"`
}

// Time is a point in time, with a resolution of one second. The zero value means that the gateway sent none. Its zone
// is Config.Location. As JSON it is a number of Unix seconds.
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
