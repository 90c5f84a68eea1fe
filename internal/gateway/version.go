// Package gateway is the one table of the differences between released gateways. All other code in this module is
// written for 2.0.8, the newest; other paths and names of older releases stand here and nowhere else.
package gateway

import "strings"

// Version is a release of the gateway, or the mixture that its interface documents describe.
type Version uint8

// The versions. Printed is as in the interface documents: nonceStr of 2.0.8 with the member names of 2.0.7.
const (
	Printed Version = iota
	V205
	V206
	V207
	V208
	Versions = int(V208) + 1 // how many there are
)

func (v Version) String() string {
	return [Versions]string{"as documented", "2.0.5", "2.0.6", "2.0.7", "2.0.8"}[v]
}

// absent marks a call that a version does not have.
const absent = ""

// moved lists, by their path in 2.0.8, the calls that have another path or are missing in some version. Calls that only
// 2.0.5 has are listed under their path there.
var moved = map[string]map[Version]string{
	"/unipay/pay":    {V205: absent},
	"/unipay/close":  {V205: absent},
	"/unipay/cancel": {V205: absent, V206: absent, V207: absent},
	"/unipay/refund": {V205: absent},

	"/unipay/transfer": {V205: absent, V206: absent, V207: absent}, // 2.0.7 has a stub, which pays nothing

	"/unipay/allocation/start":           {V205: absent, V206: "/unipay/allocation"},
	"/unipay/allocation/finish":          {V205: absent, V206: "/unipay/allocationFinish"},
	"/unipay/allocation/receiver/add":    {V205: absent, V206: absent},
	"/unipay/allocation/receiver/remove": {V205: absent, V206: absent},

	"/unipay/sync/pay":        {V205: absent, V206: "/unipay/syncPay"},
	"/unipay/sync/refund":     {V205: absent, V206: "/unipay/syncRefund"},
	"/unipay/sync/allocation": {V205: absent, V206: absent},
	"/unipay/sync/transfer":   {V205: absent, V206: absent, V207: absent},

	"/unipay/query/payOrder":           {V205: absent, V206: "/uni/query/payOrder"},
	"/unipay/query/refundOrder":        {V205: absent, V206: absent}, // 2.0.6 has one that never answers
	"/unipay/query/transferOrder":      {V205: absent, V206: absent, V207: absent},
	"/unipay/query/allocationOrder":    {V205: absent, V206: absent},
	"/unipay/query/allocationReceiver": {V205: absent, V206: absent},

	"/unipay/assist/getWxAuthUrl":     {V205: absent},
	"/unipay/assist/getWxAccessToken": {V205: absent},

	"/unipay/syncPay":    {V206: absent, V207: absent, V208: absent, Printed: absent},
	"/unipay/syncRefund": {V206: absent, V207: absent, V208: absent, Printed: absent},
}

// Member describes a member of a request in a version where its name or form differs from 2.0.8, or that does not have
// it.
type Member struct {
	Name   string // absent: the version does not know the member, and one that it does not know breaks the signature
	Object bool   // the version takes a JSON object where 2.0.8 takes its text
}

// members lists, by the call's path and the member's name in 2.0.8, the members of requests that differ in some
// version. Members that differ in all calls, and in answers too, stand under everyCall. A version that is not listed is
// like 2.0.8.
var members = map[string]map[string]map[Version]Member{
	everyCall: {
		nonceStr:      in(Member{Name: absent}, V205, V206, V207),
		"allocNo":     in(Member{Name: "allocationNo"}, Printed, V205, V206, V207),
		"bizAllocNo":  in(Member{Name: "bizAllocationNo"}, Printed, V205, V206, V207),
		"outAllocNo":  in(Member{Name: "outAllocationNo"}, Printed, V205, V206, V207),
		"allocStatus": in(Member{Name: "allocationStatus"}, Printed, V205, V206, V207),
	},
	"/unipay/pay": {
		"notNotify": in(Member{Name: absent}, Printed, V208),
	},
	"/unipay/close": {
		"bizOrderNo": in(Member{Name: "bizTradeNo"}, Printed, V206, V207),
	},
	"/unipay/refund": {
		"notNotify":  in(Member{Name: absent}, Printed, V208),
		"extraParam": in(Member{Name: "extraParam", Object: true}, V206, V207),
	},
	"/unipay/allocation/start": {
		"notNotify":         in(Member{Name: absent}, Printed, V206, V208),
		"groupNo":           in(Member{Name: absent}, V206),
		"receivers":         in(Member{Name: absent}, V206),
		"notifyUrl":         in(Member{Name: absent}, V206),
		"attach":            in(Member{Name: absent}, V206),
		"allocationGroupId": in(Member{Name: absent}, Printed, V207, V208),
	},
	"/unipay/allocation/finish": {
		"orderId":    in(Member{Name: absent}, Printed, V207, V208),
		"bizAllocNo": in(Member{Name: absent}, V206),
	},
}

const (
	everyCall = ""
	nonceStr  = "nonceStr"
)

func in(m Member, versions ...Version) map[Version]Member {
	differ := make(map[Version]Member, len(versions))
	for _, v := range versions {
		differ[v] = m
	}
	return differ
}

// column is how many characters 2.0.6 and 2.0.7 store of a text. They check no lengths: a longer text ends in a
// database error. Pay then answers with SQL in msg, and refund with code 10001.
const column = 255

// storing lists the calls whose texts the gateway stores.
var storing = map[string]bool{
	"/unipay/pay": true, "/unipay/refund": true, "/unipay/allocation/start": true, "/unipay/allocation/receiver/add": true,
}

// Column returns how many characters v accepts in every text of a request, 0 for any number. path is the call's path in
// 2.0.8. ok is false if v has the limits of 2.0.8, or the call is not in the table and has limits of its own.
func (v Version) Column(path string) (limit int, ok bool) {
	if _, known := moved[path]; !known || v != V206 && v != V207 {
		return 0, false
	}
	if storing[path] {
		return column, true
	}
	return 0, true
}

// Path returns the path in v of the call that 2.0.8 has at path, false if v does not have it. A call that is not in the
// table, a merchant's own, has the same path everywhere.
func (v Version) Path(path string) (string, bool) {
	if here, ok := moved[path][v]; ok {
		return here, here != absent
	}
	return path, true
}

// Member returns what v has for the member that 2.0.8 calls name, in requests of the call at path in 2.0.8. It returns
// false if v does not know the member.
func (v Version) Member(path, name string) (Member, bool) {
	m, differs := members[path][name][v]
	if !differs {
		m, differs = members[everyCall][name][v]
	}
	if !differs {
		m.Name = name
	}
	return m, m.Name != absent
}

// OldName returns the earlier name of the member of an answer that 2.0.8 calls name, "" if the name never changed.
func OldName(name string) string {
	return members[everyCall][name][V207].Name
}

// Numbers returns the members, under the names of all versions, whose numbers say what a message is about.
func Numbers() []string {
	return []string{"orderNo", "bizOrderNo", "refundNo", "bizRefundNo", "allocNo", "bizAllocNo", "allocationNo",
		"bizAllocationNo", "transferNo", "bizTransferNo"}
}

// KnowsNonce reports whether v knows the member nonceStr. For other versions it would break the signature.
func (v Version) KnowsNonce() bool {
	_, knows := v.Member(everyCall, nonceStr)
	return knows
}

// SignsAnswers reports whether v signs its answers.
func (v Version) SignsAnswers() bool {
	return v != V205
}

// Having lists the releases that have the call, as text.
func Having(path string) string {
	return releases(func(v Version) bool {
		_, ok := v.Path(path)
		return ok
	})
}

// Knowing lists the releases that have the call and know the member of its request, as text.
func Knowing(path, name string) string {
	return releases(func(v Version) bool {
		_, has := v.Path(path)
		_, knows := v.Member(path, name)
		return has && knows
	})
}

func releases(ok func(v Version) bool) string {
	var versions []string
	for v := V205; v <= V208; v++ {
		if ok(v) {
			versions = append(versions, v.String())
		}
	}
	return strings.Join(versions, ", ")
}
