// Package gateway is the one table of what the released gateways do differently. Everything else in this module is written
// for 2.0.8, the newest; whatever an older release places or names otherwise stands here and only here.
package gateway

import "strings"

// Version is a release of the gateway, or the mixture that its printed pages describe.
type Version uint8

// The versions. Printed speaks as the interface pages do: nonceStr of 2.0.8 beside the member names of 2.0.7.
const (
	Printed Version = iota
	V205
	V206
	V207
	V208
	Versions = int(V208) + 1 // how many there are
)

func (v Version) String() string {
	return [Versions]string{"as printed", "2.0.5", "2.0.6", "2.0.7", "2.0.8"}[v]
}

// absent marks a call that a version does not have.
const absent = ""

// moved lists, by their path in 2.0.8, the calls that are elsewhere or missing in some version. The calls of 2.0.5 that were
// given up later stand under the path they had then.
var moved = map[string]map[Version]string{
	"/unipay/pay":    {V205: absent},
	"/unipay/close":  {V205: absent},
	"/unipay/cancel": {V205: absent, V206: absent, V207: absent},
	"/unipay/refund": {V205: absent},

	"/unipay/transfer": {V205: absent, V206: absent, V207: absent}, // 2.0.7 has a stub, which pays nothing

	"/unipay/allocation/start":           {V205: absent, V206: "/unipay/allocation"},
	"/unipay/allocation/finish":          {V205: absent, V206: "/unipay/allocationFinish"},
	"/unipay/allocation/receiver/add":    {V205: absent},
	"/unipay/allocation/receiver/remove": {V205: absent},

	"/unipay/sync/pay":        {V205: absent, V206: "/unipay/syncPay"},
	"/unipay/sync/refund":     {V205: absent, V206: "/unipay/syncRefund"},
	"/unipay/sync/allocation": {V205: absent, V206: absent},
	"/unipay/sync/transfer":   {V205: absent, V206: absent, V207: absent},

	"/unipay/query/payOrder":           {V205: absent, V206: "/uni/query/payOrder"},
	"/unipay/query/refundOrder":        {V205: absent, V206: "/uni/query/refundOrder"},
	"/unipay/query/transferOrder":      {V205: absent, V206: absent, V207: absent},
	"/unipay/query/allocationOrder":    {V205: absent, V206: "/uni/query/allocationOrder"},
	"/unipay/query/allocationReceiver": {V205: absent, V206: "/uni/query/allocationReceiver"},

	"/unipay/assist/getWxAuthUrl":     {V205: absent},
	"/unipay/assist/getWxAccessToken": {V205: absent},

	"/unipay/syncPay":    {V206: absent, V207: absent, V208: absent, Printed: absent},
	"/unipay/syncRefund": {V206: absent, V207: absent, V208: absent, Printed: absent},
}

// oldNames gives, by their name in 2.0.8, the members that every earlier version and the printed pages call otherwise, in all
// calls and answers.
var oldNames = map[string]string{
	"allocNo":     "allocationNo",
	"bizAllocNo":  "bizAllocationNo",
	"outAllocNo":  "outAllocationNo",
	"allocStatus": "allocationStatus",
}

// oldNamesOf is oldNames for the request of one call, by its path in 2.0.8.
var oldNamesOf = map[string]map[string]string{
	"/unipay/close": {"bizOrderNo": "bizTradeNo"},
}

// Path is where v has the call that 2.0.8 has at path, false if v does not have it. A call that the table does not know, a
// merchant's own, is at the same path everywhere.
func (v Version) Path(path string) (string, bool) {
	if here, ok := moved[path][v]; ok {
		return here, here != absent
	}
	return path, true
}

// Name is what v calls the member that 2.0.8 calls name, in the request of the call that 2.0.8 has at path.
func (v Version) Name(path, name string) string {
	if v == V208 {
		return name
	}
	if old := oldNamesOf[path][name]; old != "" {
		return old
	}
	if old := oldNames[name]; old != "" {
		return old
	}
	return name
}

// OldName is what earlier versions call the member of an answer that 2.0.8 calls name, "" if it always had this name.
func OldName(name string) string {
	return oldNames[name]
}

// Numbers lists the members, under the names of all versions, that are numbers and say what a message is about.
func Numbers() []string {
	return []string{"orderNo", "bizOrderNo", "refundNo", "bizRefundNo", "allocNo", "bizAllocNo", "allocationNo", "bizAllocationNo", "transferNo", "bizTransferNo"}
}

// KnowsNonce tells whether v knows the member nonceStr. To a version that does not it would break the signature.
func (v Version) KnowsNonce() bool {
	return v == V208 || v == Printed
}

// SignsAnswers tells whether v signs what it answers.
func (v Version) SignsAnswers() bool {
	return v != V205
}

// Having lists the releases that have the call, in words.
func Having(path string) string {
	var versions []string
	for v := V205; v <= V208; v++ {
		if _, ok := v.Path(path); ok {
			versions = append(versions, v.String())
		}
	}
	return strings.Join(versions, ", ")
}
