package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay/daxpaytest"
)

// words say the same in Chinese and in English. Texts of the gateway are not translated.
type words struct{ Zh, En string }

func (w words) in(lang string) string {
	if lang == "zh" {
		return w.Zh
	}
	return w.En
}

// same is a text that is not translated, or a word that both languages have.
func same(s string) words { return words{s, s} }

// state is how a status is shown: by a shape, words and a colour.
type state struct {
	Code  string // as the gateway has it
	Class string
	Icon  string
	Words words
}

var states = map[string]state{
	"progress":              {"", "wait", "wait", words{"支付中", "In progress"}},
	"success":               {"", "ok", "check", words{"成功", "Success"}},
	"close":                 {"", "", "minus", words{"已关闭", "Closed"}},
	"cancel":                {"", "undo", "undo", words{"已撤销", "Cancelled"}},
	"fail":                  {"", "bad", "x", words{"失败", "Failed"}},
	"refunding":             {"", "wait", "wait", words{"退款中", "Refunding"}},
	"partial_refund":        {"", "undo", "half", words{"部分退款", "Partly refunded"}},
	"refunded":              {"", "undo", "undo", words{"已退款", "Refunded"}},
	"transferring":          {"", "wait", "wait", words{"转账中", "Transferring"}},
	"allocation_processing": {"", "wait", "wait", words{"分账处理中", "Allocating"}},
	"allocation_end":        {"", "ok", "check", words{"分账处理完成", "Allocated"}},
	"allocation_failed":     {"", "bad", "x", words{"分账失败", "Allocation failed"}},
	"finish":                {"", "ok", "check", words{"已完结", "Finished"}},
	"finish_failed":         {"", "bad", "x", words{"完结失败", "Finish failed"}},
	"ignore":                {"", "", "minus", words{"忽略分账", "Not allocated"}},
	"part_success":          {"", "bad", "half", words{"部分成功", "Partly succeeded"}},
	"all_failed":            {"", "bad", "x", words{"全部失败", "All failed"}},
	"all_success":           {"", "ok", "check", words{"全部成功", "All succeeded"}},
	"all_pending":           {"", "wait", "wait", words{"等待结果", "Pending"}},
	"pending":               {"", "wait", "wait", words{"等待", "Pending"}},
}

func stateOf(code string) state {
	s, ok := states[code]
	if !ok {
		s = state{Icon: "minus", Words: same(code)}
	}
	s.Code = code
	return s
}

// statesOf are the states of an order. A refund in progress is 退款中, where a payment is 支付中.
func statesOf(o daxpaytest.Order) []state {
	first := stateOf(o.Status)
	if o.Kind == daxpaytest.KindRefund && o.Status == "progress" {
		first.Words = words{"退款中", "Refunding"}
	}
	list := []state{first}
	if o.RefundStatus != "" && o.RefundStatus != "no_refund" {
		list = append(list, stateOf(o.RefundStatus))
	}
	if o.Kind == daxpaytest.KindAlloc && o.Status == "allocation_end" && o.Result != "all_success" && o.Result != "" {
		list = append(list, stateOf(o.Result))
	}
	return list
}

var kinds = map[daxpaytest.OrderKind]words{
	daxpaytest.KindPay:      {"支付", "Payment"},
	daxpaytest.KindRefund:   {"退款", "Refund"},
	daxpaytest.KindTransfer: {"转账", "Transfer"},
	daxpaytest.KindAlloc:    {"分账", "Allocation"},
}

// numberNames are DaxPay's names for the numbers of each kind, without whose number it is.
var numberNames = map[daxpaytest.OrderKind]string{
	daxpaytest.KindPay:      "订单号",
	daxpaytest.KindRefund:   "退款号",
	daxpaytest.KindTransfer: "转账号",
	daxpaytest.KindAlloc:    "分账单号",
}

// numberOf names a number of an order: the merchant's number of a payment is 商户订单号.
func numberOf(kind daxpaytest.OrderKind, zh, en string) words {
	return words{zh + numberNames[kind], en + "’s number"}
}

var channels = map[string]words{
	"ali_pay": {"支付宝", "Alipay"}, "wechat_pay": {"微信支付", "WeChat Pay"}, "union_pay": {"云闪付", "UnionPay"},
	"wallet_pay": {"钱包", "Wallet"},
}

var methods = map[string]words{
	"qrcode": {"扫码", "QR code"}, "barcode": {"付款码", "bar code"}, "wap": {"手机网页", "WAP"}, "web": {"电脑网页", "web"},
	"app": {"App", "app"}, "jsapi": {"JSAPI", "JSAPI"}, "normal": {"余额", "balance"},
}

// call is one of the gateway's.
type call struct {
	Path  string
	Words words
}

// calls are the paths of calls, those of 2.0.8 and 2.0.7 first, and then what 2.0.6 has under other paths.
var calls = []call{
	{"/unipay/pay", words{"支付", "pay"}},
	{"/unipay/close", words{"关单", "close"}},
	{"/unipay/cancel", words{"撤销", "cancel"}},
	{"/unipay/refund", words{"退款", "refund"}},
	{"/unipay/transfer", words{"转账", "transfer"}},
	{"/unipay/sync/pay", words{"支付同步", "pay sync"}},
	{"/unipay/sync/refund", words{"退款同步", "refund sync"}},
	{"/unipay/sync/allocation", words{"分账同步", "allocation sync"}},
	{"/unipay/sync/transfer", words{"转账同步", "transfer sync"}},
	{"/unipay/query/payOrder", words{"查询支付订单", "query payment"}},
	{"/unipay/query/refundOrder", words{"查询退款订单", "query refund"}},
	{"/unipay/query/transferOrder", words{"查询转账订单", "query transfer"}},
	{"/unipay/query/allocationOrder", words{"查询分账订单", "query allocation"}},
	{"/unipay/query/allocationReceiver", words{"查询分账接收方", "query receivers"}},
	{"/unipay/allocation/start", words{"分账", "start allocation"}},
	{"/unipay/allocation/finish", words{"分账完结", "finish allocation"}},
	{"/unipay/allocation/receiver/add", words{"添加分账接收方", "add receiver"}},
	{"/unipay/allocation/receiver/remove", words{"删除分账接收方", "remove receiver"}},
	{"/unipay/assist/getWxAuthUrl", words{"微信授权地址", "WeChat auth URL"}},
	{"/unipay/assist/getWxAccessToken", words{"微信 OpenId", "WeChat OpenId"}},
	{"/unipay/syncPay", words{"支付同步", "pay sync"}},
	{"/unipay/syncRefund", words{"退款同步", "refund sync"}},
	{"/uni/query/payOrder", words{"查询支付订单", "query payment"}},
	{"/uni/query/refundOrder", words{"查询退款订单", "query refund"}},
	{"/unipay/allocation", words{"分账", "start allocation"}},
	{"/unipay/allocationFinish", words{"分账完结", "finish allocation"}},
}

// calls are those of the release that is served.
func (s *server) calls() []call {
	return slices.DeleteFunc(slices.Clone(calls), func(c call) bool { return !s.gw.Has(c.Path) })
}

func callWords(path string) words {
	for _, c := range calls {
		if c.Path == path {
			return c.Words
		}
	}
	return words{"未知路径", "unknown path"}
}

// operations are what the channel can be asked for.
var operations = []struct {
	Op    daxpaytest.Operation
	Words words
}{
	{daxpaytest.OpPay, words{"支付", "pay"}},
	{daxpaytest.OpPaySync, words{"支付同步", "pay sync"}},
	{daxpaytest.OpClose, words{"关单", "close"}},
	{daxpaytest.OpCancel, words{"撤销", "cancel"}},
	{daxpaytest.OpRefund, words{"退款", "refund"}},
	{daxpaytest.OpRefundSync, words{"退款同步", "refund sync"}},
	{daxpaytest.OpTransfer, words{"转账", "transfer"}},
	{daxpaytest.OpAllocation, words{"分账", "allocation"}},
	{daxpaytest.OpAllocationSync, words{"分账同步", "allocation sync"}},
	{daxpaytest.OpAllocationFinish, words{"分账完结", "allocation finish"}},
	{daxpaytest.OpReceiverAdd, words{"添加接收方", "receiver add"}},
	{daxpaytest.OpReceiverRemove, words{"删除接收方", "receiver remove"}},
}

func operationWords(op string) words {
	for _, o := range operations {
		if string(o.Op) == op {
			return o.Words
		}
	}
	return same(op)
}

// yuan writes an amount in fen as one in yuan.
func yuan(fen int64) string {
	digits := strconv.FormatInt(fen/100, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return fmt.Sprintf("¥%s.%02d", digits, fen%100)
}

// took writes a duration as a person reads it.
func took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "< 1 ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// ago says how long ago something was.
func ago(d time.Duration, lang string) string {
	units := []struct {
		of   time.Duration
		name words
	}{
		{24 * time.Hour, words{" 天", " d"}}, {time.Hour, words{" 小时", " h"}}, {time.Minute, words{" 分", " min"}},
		{time.Second, words{" 秒", " s"}},
	}
	for _, u := range units {
		if d >= u.of {
			return strconv.FormatInt(int64(d/u.of), 10) + u.name.in(lang)
		}
	}
	return words{"刚刚", "now"}.in(lang)
}

// verdict is the result of a call, in a line.
type verdict struct {
	Class, Icon string
	Code        string
	Words       words // behind the code
}

// verdictOf reads the answer to a call.
func verdictOf(e event) verdict {
	a := readAnswer(e.Out)
	switch {
	case e.faulty():
		f := faultWords(daxpaytest.Fault(e.Info.Fault))
		w := words{f.Zh + "，已执行", f.En + ", it ran"}
		if e.Code == daxpaytest.NotRun {
			w = words{f.Zh + "，没有执行", f.En + ", did not run"}
		}
		return verdict{"bad", "warn", "", w}
	case a.outer == "":
		return verdict{"bad", "x", "HTTP " + strconv.Itoa(e.Status), words{"未知路径", "unknown path"}}
	case a.outer == "10001", a.outer == "10008":
		return verdict{"bad", "warn", string(a.outer), same(firstLine(a.msg))}
	case a.outer != "0":
		return verdict{"bad", "x", string(a.outer), same(firstLine(a.msg))}
	case a.code != "0":
		return verdict{"bad", "x", "data.code " + string(a.code), same(firstLine(a.msg))}
	case e.Bad:
		return verdict{"bad", "x", "code 0", same("· " + strings.TrimSpace(a.status+" "+firstLine(a.msg)))}
	case a.status == "":
		return verdict{"ok", "check", "code 0", words{}}
	}
	return verdict{"ok", "check", "code 0", same("· " + a.status)}
}

func firstLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > 1 && strings.HasPrefix(lines[0], "验证参数错误") {
		return lines[1]
	}
	return lines[0]
}

func faultWords(f daxpaytest.Fault) words {
	switch f {
	case daxpaytest.HangBefore, daxpaytest.HangAfter:
		return words{"超时（不响应，直到对方断开）", "no answer until the caller gives up"}
	case daxpaytest.ResetBefore, daxpaytest.ResetAfter:
		return words{"连接重置", "connection reset"}
	case daxpaytest.BadGatewayBefore, daxpaytest.BadGatewayAfter:
		return same("502 HTML")
	case daxpaytest.Truncated:
		return words{"响应中断", "answer cut off"}
	case daxpaytest.Unsigned:
		return words{"响应没有签名", "answer not signed"}
	}
	return words{"变慢", "slow"}
}

var (
	nothingRan = words{"没有执行：可以放心重发。", "Nothing was executed: sending again is safe."}
	mayHaveRun = words{"可能已经执行：先查询，不要直接重发。", "It may have run: query before you send anything again."}
)

// consequence says what an answer means for the merchant, and what to do.
func consequence(e event) (words, []words) {
	a := readAnswer(e.Out)
	switch {
	case e.Code == daxpaytest.NotRun:
		return words{"由于故障，请求没有执行。", "A fault kept the call from running."},
			[]words{{"商户无法区分：对它来说结果未知。", "The shop cannot tell: for it the outcome is unknown."}}
	case e.faulty():
		return words{"已执行，但响应因故障丢失。", "It ran, but a fault kept the answer back."}, []words{mayHaveRun}
	case a.outer == "":
		return words{"网关没有这个路径。", "The gateway has no such path."}, append(nearPath(e.Name), nothingRan)
	case a.outer == "0" && a.code == "0":
		return words{}, nil
	case a.outer == "0":
		return words{"业务拒绝：" + firstLine(a.msg), "The gateway refused: " + firstLine(a.msg)},
			[]words{{"响应有签名，但不含单号：要看它对应哪个请求。",
				"The answer is signed, but names no order: it belongs to the request that it came back for."}}
	case a.outer == "10006":
		return wrongParameter(a.msg)
	}
	for _, c := range consequences {
		if slices.Contains(c.codes, a.outer) {
			return c.means, []words{c.do}
		}
	}
	return same(firstLine(a.msg)), nil
}

// consequences are what unsigned answers mean, by their code.
var consequences = []struct {
	codes     []json.Number
	means, do words
}{
	{[]json.Number{"10005"}, words{"请求体无法解析：不是 JSON，或者某个字段的类型不对。",
		"The body cannot be read: it is not JSON, or a member has a wrong type."}, nothingRan},
	{[]json.Number{"10007"}, words{"同一订单的另一个请求正在处理。", "Another request about the same order is under way."},
		words{"本次没有执行；另一次可能是你自己发出、响应丢失的那次。",
			"This one did nothing; the other may be one of yours whose answer was lost."}},
	{[]json.Number{"10010"}, words{"没有这个订单。", "There is no such order."}, nothingRan},
	{[]json.Number{"20023", "20024"}, words{"该接口未开放。", "This call is switched off."}, nothingRan},
	{[]json.Number{"10001", "10008"}, words{"网关内部错误：响应没有签名，结果未知。",
		"An error inside the gateway: the answer is not signed, and the outcome is unknown."}, mayHaveRun},
	{[]json.Number{"1"}, words{"只接受 POST。", "Only POST is accepted."}, nothingRan},
}

// wrongParameter says what a 10006 means.
func wrongParameter(msg string) (words, []words) {
	switch {
	case strings.Contains(msg, "请求已过期"):
		return words{"请求已过期：reqTime 超出请求有效时长。", "The request is too old: its reqTime is outside the time window."},
			[]words{{"每次发送都重新生成 reqTime 并重新签名；检查商户的时钟。",
				"Set reqTime and sign anew for every attempt; check the shop's clock."}, nothingRan}
	case strings.Contains(msg, "晚于"):
		return words{"reqTime 晚于当前时间：商户的时钟快了，或者单位用了毫秒。",
			"reqTime is in the future: the shop's clock is fast, or the unit is milliseconds."}, []words{nothingRan}
	}
	return words{"参数错误：" + firstLine(msg), "A parameter is wrong: " + firstLine(msg)}, []words{nothingRan}
}

// nearPath names the path that was probably meant.
func nearPath(path string) []words {
	for _, c := range calls {
		if strings.EqualFold(c.Path, strings.TrimRight(path, "/")) ||
			strings.HasSuffix(strings.ToLower(path), strings.ToLower(c.Path)) {
			return []words{
				{"应为 " + c.Path + "（区分大小写，前面不带其他路径）。", "It should be " + c.Path + " (case matters, nothing before it)."},
			}
		}
	}
	return []words{{"检查服务地址和版本：每个版本的路径不同。", "Check the service URL and the version: paths differ between releases."}}
}

// noticeVerdict says whether the gateway takes a notice for received, and why.
func noticeVerdict(e event) (short, long words) {
	switch {
	case e.Kind == kindSilence:
		return words{"通道回调之后，2.0.8 不发通知：请主动查询", "2.0.8 sends none after a channel callback: query the order"},
			words{"真实的 2.0.8 在这个线程里无法签名，所以不发送，也不会重发。2.0.7 与 2.0.6 会发送。",
				"A real 2.0.8 cannot sign in this thread: it sends nothing, and nothing later. 2.0.7 and 2.0.6 do send."}
	case e.Info.Lost:
		return words{"在控制台设置了“丢弃下一条”", "“Lose the next” was set in the console"},
			words{"网关记为已发送，实际没有送出。", "The gateway counts it as sent, but it was not sent."}
	case e.Info.Received && e.Status != http.StatusOK:
		return words{
			fmt.Sprintf("HTTP %d，但响应体是 SUCCESS：算接收成功", e.Status),
			fmt.Sprintf("HTTP %d, yet the body is SUCCESS: it counts", e.Status),
		}, words{"网关只看响应体。", "The gateway looks at the body alone."}
	case e.Info.Received:
		return words{"恰好是 SUCCESS", "Exactly SUCCESS"},
			words{"5 秒内返回了 7 个字节 SUCCESS。", "The 7 bytes SUCCESS came within 5 seconds."}
	case e.Info.Err != "":
		return noReply(e.Info.Err)
	}
	reply := string(e.Out)
	for _, f := range replyFaults {
		if f.is(e.Status, reply) {
			return f.short, cmp.Or(f.long, exact(reply))
		}
	}
	return words{"响应体不是 SUCCESS", "The body is not SUCCESS"}, exact(reply)
}

// noReply says why there is no reply to a notice.
func noReply(fault string) (short, long words) {
	switch {
	case strings.HasPrefix(fault, "notices go to this machine only"):
		return words{"通知地址不在本机", "The address is not on this machine"},
			words{"用 --notices-anywhere 启动，通知才会发到其他机器。", "Start with --notices-anywhere to send notices to other machines."}
	case strings.Contains(fault, "5 seconds"):
		return words{"5 秒内没有完整响应", "No whole reply within 5 s"},
			words{"完整的响应必须在 5 秒内返回。", "The whole reply must arrive within 5 s."}
	}
	return words{"没有响应：" + fault, "No reply: " + fault},
		words{"地址无法访问，或者连接中断。", "The address cannot be reached, or the connection broke."}
}

// replyFaults are what can be wrong with a reply to a notice. Where long is empty, the page shows the bytes instead.
var replyFaults = []struct {
	is          func(status int, reply string) bool
	short, long words
}{
	{
		is:    func(_ int, reply string) bool { return strings.HasPrefix(reply, "\ufeff") },
		short: words{"开头有 BOM，必须恰好是 SUCCESS", "A BOM at the start; it must be exactly SUCCESS"},
	},
	{
		is:    func(_ int, reply string) bool { return spaced(reply) && strings.HasSuffix(reply, "\n") },
		short: words{"末尾多了换行，必须恰好是 SUCCESS", "A line break at the end; it must be exactly SUCCESS"},
	},
	{
		is:    func(_ int, reply string) bool { return spaced(reply) },
		short: words{"前后有空白，必须恰好是 SUCCESS", "White space around it; it must be exactly SUCCESS"},
	},
	{
		is:    func(_ int, reply string) bool { return strings.EqualFold(reply, "success") },
		short: words{"大小写不对，必须是 SUCCESS", "Wrong case; it must be SUCCESS"},
	},
	{
		is:    func(status int, _ string) bool { return status >= 300 && status < 400 },
		short: words{"重定向：网关不跟随", "A redirect: the gateway does not follow it"},
		long:  words{"通知地址必须直接响应。", "The address must answer itself."},
	},
	{
		is:    func(_ int, reply string) bool { return reply == "" },
		short: words{"响应体为空，必须恰好是 SUCCESS", "An empty body; it must be exactly SUCCESS"},
	},
}

// spaced tells whether a reply is SUCCESS with white space around it.
func spaced(reply string) bool { return strings.TrimSpace(reply) == "SUCCESS" }

// exact shows the bytes of a reply.
func exact(reply string) words {
	shown := fmt.Sprintf("% x", reply[:min(len(reply), 16)])
	if len(reply) > 16 {
		shown += " …"
	}
	n := strconv.Itoa(len(reply))
	return words{
		n + " 个字节：" + shown + "。必须恰好是 7 个字节 SUCCESS。Go 里用 io.WriteString，不用 Fprintln。",
		n + " bytes: " + shown + ". It must be exactly the 7 bytes SUCCESS. In Go, use io.WriteString, not Fprintln.",
	}
}
