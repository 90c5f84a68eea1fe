package daxpay_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/param"
)

// unnamed has the recorded texts that stay ReasonUnknown, each with why.
var unnamed = map[string]string{
	"":       "no text",
	"卖家余额不足": "the channel's", "参数无效": "the channel's", "不行": "the channel's", "用户不存在": "the channel's",
	"系统繁忙": "the channel's",
	"配置错误": "says configuration, and is what a wallet without enough money gets",
	"支付方法至少有一个参数，并且需要签名支付参数需要放在第一位": "of a path that is no call",
	"不支持DELETE请求方法，支持以下POST":        "this client sends POST",
	"不支持GET请求方法，支持以下POST":           "this client sends POST",
	"不支持PATCH请求方法，支持以下POST":         "this client sends POST",
	"不支持PUT请求方法，支持以下POST":           "this client sends POST",
}

// bySource has the rows that no recording has: they come from the gateway's source.
var bySource = map[string]bool{
	"微信支付金额超限": true, "云闪付支付金额超限": true, "订单没有异步支付方式，不需要同步": true,
	"当前交易状态不支持关闭操作, 请对订单同步状态后再进行操作": true,
	"当前支付单订状态[失败]不允许发起退款操作":         true, "当前支付单订状态[全部退款]不允许发起退款操作": true,
	"分账同步中，请勿重复操作": true, "未查询到分账组": true, "分账接收方列表存在非本通道的数据": true,
	"分账比例有误或金额太小, 无法进行分账": true, "该接收方已被使用，无法被删除": true,
	"该微信支付方式不可用": true, "该云闪付支付方式不可用": true, "不存在的支付通道": true, "云闪付不支持分账": true,
	"钱包支付不支持分账": true, "微信转账暂未实现": true, "支付宝未配置可用的支付方式": true, "未配置微信支付方式": true,
	"云闪付未配置可用的支付方式": true, "未开启分账配置": true, "支付宝支付配置未开启分账": true, "微信支付配置未开启分账": true,
	"签名方式错误": true, "未获取到签名方式，请检查": true,
	`Cannot invoke "java.lang.Integer.intValue()" because the return value of "cn.daxpay.single.service.core.channel.` +
		`wechat.entity.WeChatPayConfig.getLimitAmount()" is null`: true,
	`Cannot invoke "java.lang.Integer.intValue()" because the return value of "cn.daxpay.single.service.core.channel.` +
		`union.entity.UnionPayConfig.getLimitAmount()" is null`: true,
}

// refusedWith is a code and a text with which a real gateway refused something.
type refusedWith struct {
	code int
	text string
}

// recordedRefusals collects every refusal in testdata, of calls that this module has and of others.
func recordedRefusals(t *testing.T) map[refusedWith]string {
	t.Helper()
	files, err := filepath.Glob("testdata/conformance/*/*.json")
	require.NoError(t, err)
	all := make(map[refusedWith]string)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var scenario struct {
			Steps []struct{ Answer json.RawMessage }
		}
		require.NoError(t, json.Unmarshal(raw, &scenario), file)
		for _, step := range scenario.Steps {
			var envelope struct {
				Code *int
				Msg  string
				Data *struct {
					Code        int
					Msg, Status string
				}
			}
			if json.Unmarshal(step.Answer, &envelope) != nil || envelope.Code == nil {
				continue // a page, or a path that is not there
			}
			switch data := envelope.Data; {
			case data == nil:
				all[refusedWith{*envelope.Code, envelope.Msg}] = file
			case data.Code != 0 || data.Msg != "" && data.Status == "":
				all[refusedWith{data.Code, data.Msg}] = file
			}
		}
	}
	return all
}

// TestReasonsOfRecordings compares the table of texts with every recorded refusal of a real gateway.
func TestReasonsOfRecordings(t *testing.T) {
	all := recordedRefusals(t)
	require.Greater(t, len(all), 200)
	recorded := make(map[string]bool)
	for r, file := range all {
		text := strings.TrimSpace(strings.TrimPrefix(r.text, "验证参数错误"))
		recorded[text] = true
		_, named := gateway.Texts()[text]
		reason := gateway.ReasonOf(r.code, strings.Map(func(c rune) rune { // as an error has it
			if c == '\n' {
				return ' '
			}
			return c
		}, r.text))
		if _, ok := unnamed[text]; ok && reason == gateway.Unknown {
			continue
		}
		require.NotEqual(t, gateway.Unknown, reason, "%s: no reason for code %d with text %q", file, r.code, r.text)
		if r.code <= 1 { // no code says it
			require.True(t, named, "%s: no row for %q", file, text)
		}
	}
	for text := range gateway.Texts() {
		require.NotEqual(t, recorded[text], bySource[text], "recorded or by source, and not both: %q", text)
	}
	for text := range unnamed {
		require.True(t, recorded[text], "%q", text)
	}
}

// The texts in Call.Refusals are texts that gateways have.
func TestRefusalsOfCallsAreInTheTable(t *testing.T) {
	for _, refusals := range []param.Refusals{
		(&param.PayParam{}).Call().Refusals, (&param.PayCloseParam{}).Call().Refusals,
		(&param.PayCancelParam{}).Call().Refusals, (&param.RefundParam{}).Call().Refusals,
		(&param.TransferParam{}).Call().Refusals, (&param.AllocStartParam{}).Call().Refusals,
		(&param.AllocFinishParam{}).Call().Refusals, (&param.AllocReceiverAddParam{}).Call().Refusals,
		(&param.AllocReceiverRemoveParam{}).Call().Refusals,
	} {
		for _, text := range append(refusals.EarlierSend, refusals.HarmlessTexts...) {
			require.NotEmpty(t, gateway.Texts()[text], text)
		}
	}
}

func TestReasons(t *testing.T) {
	signedRefusal := func(text string) string { return sealed(t, `"code":1,"msg":"`+text+`","resTime":1715500000`) }
	unproved := func(text string) string {
		return sealed(t, `"code":0,"msg":"`+text+`","resTime":1715500000,"bizOrderNo":null,"orderNo":null,"status":null`)
	}
	outer := func(code, text string) string {
		return `{"code":` + code + `,"msg":"` + text + `","data":null,"traceId":"T"}`
	}
	for name, tt := range map[string]struct {
		call   string
		answer string
		reason daxpay.Reason
		is     []error
		isNot  []error
		text   string
	}{
		"paid before": {
			"/unipay/pay", unproved("已经支付成功，请勿重新支付"), daxpay.ReasonAlreadyPaid,
			[]error{daxpay.ErrAlreadyPaid, daxpay.ErrOutcomeUnknown, daxpay.ErrUnproved},
			[]error{daxpay.ErrOrderEnded, daxpay.ErrLocked},
			"daxpay: /unipay/pay: the payment was paid before: query it, and do not pay again",
		},
		"ended": {
			"/unipay/pay", unproved("支付失败或已经被关闭"), daxpay.ReasonOrderEnded,
			[]error{daxpay.ErrOrderEnded, daxpay.ErrOutcomeUnknown}, []error{daxpay.ErrAlreadyPaid}, "SyncPay",
		},
		"double click": {
			"/unipay/pay", unproved("正在支付中，请勿重复支付"), daxpay.ReasonLocked,
			[]error{daxpay.ErrLocked, daxpay.ErrOutcomeUnknown}, nil, "wait",
		},
		"the channel's words": {
			"/unipay/pay", unproved("卖家余额不足"), daxpay.ReasonUnknown,
			[]error{daxpay.ErrOutcomeUnknown}, []error{daxpay.ErrAlreadyPaid, daxpay.ErrOrderEnded, daxpay.ErrLocked},
			"success is not proved: /unipay/pay: member",
		},
		"locked": {
			"/unipay/close", outer("10007", "支付订单已在关闭中，请勿重复发起"), daxpay.ReasonLocked,
			[]error{daxpay.ErrLocked, daxpay.ErrEarlierSend}, nil, "another call for it is under way",
		},
		"locked, by the code alone": {
			"/unipay/close", outer("10007", "处理中"), daxpay.ReasonLocked, []error{daxpay.ErrLocked}, nil, "wait",
		},
		"no such order": {
			"/unipay/query/payOrder", signedRefusal("支付订单不存在"), daxpay.ReasonNoSuchOrder,
			[]error{daxpay.ErrNoSuchOrder}, nil, "check the number",
		},
		"other refund": {
			"/unipay/refund", signedRefusal("当前支付单退款状态[退款中]不允许发起退款操作"), daxpay.ReasonRefundInProgress,
			nil, []error{daxpay.ErrOutcomeUnknown}, "finish the other refund",
		},
		"over the balance": {
			"/unipay/refund", outer("10006", `验证参数错误\n退款金额不能大于支付金额`), daxpay.ReasonAmountTooLarge,
			nil, []error{daxpay.ErrOutcomeUnknown}, "RefundableBalance",
		},
		"member": {
			"/unipay/pay", outer("10006", `验证参数错误\n支付标题不可为空\n`), daxpay.ReasonInvalidParam, nil,
			[]error{daxpay.ErrOutcomeUnknown}, "correct the param",
		},
		"channel off": {
			"/unipay/transfer", signedRefusal("支付宝支付未启用"), daxpay.ReasonChannelUnavailable, nil, nil, "gateway's console",
		},
		"call off": {
			"/unipay/pay", outer("20023", "该接口权限未开放"), daxpay.ReasonNotPermitted, nil, []error{daxpay.ErrOutcomeUnknown},
			"enable the call",
		},
		"an unsigned text proves no payment": {
			"/unipay/pay", outer("10001", "已经支付成功，请勿重新支付"), daxpay.ReasonAlreadyPaid,
			[]error{daxpay.ErrOutcomeUnknown}, []error{daxpay.ErrAlreadyPaid}, "",
		},
		"unsigned, ended": {
			"/unipay/pay", outer("10006", "支付失败或已经被关闭"), daxpay.ReasonOrderEnded, nil, []error{daxpay.ErrOrderEnded}, "",
		},
		"an answer that cannot be written": {
			"/unipay/pay", outer("10005", "Could not write JSON"), daxpay.ReasonFailed,
			[]error{daxpay.ErrOutcomeUnknown}, nil, "look at the gateway's log",
		},
		"unknown code": {
			"/unipay/pay", outer("12345", "?"), daxpay.ReasonUnknown, []error{daxpay.ErrOutcomeUnknown}, nil,
			"daxpay: /unipay/pay: gateway refused, code 12345: ?",
		},
	} {
		t.Run(name, func(t *testing.T) {
			kit, _ := mocked(t, daxpay.Config{Gateway: daxpay.GatewayV208, Now: at(1715500000)}, jsonAnswer(tt.answer))
			c := asked[tt.call]
			_, err := c.Do(context.Background(), kit, c.Param("1"))
			require.Error(t, err)
			require.Equal(t, tt.reason, daxpay.ReasonOf(err), err)
			for _, target := range tt.is {
				require.ErrorIs(t, err, target)
			}
			for _, target := range tt.isNot {
				require.NotErrorIs(t, err, target)
			}
			require.ErrorContains(t, err, tt.text)
			var refusal *daxpay.GatewayError
			if errors.As(err, &refusal) {
				require.Equal(t, tt.reason, refusal.Reason)
				require.Equal(t, refusal.Business, refusal.Signed, "what is in data is signed, and nothing else")
			}
		})
	}
	require.Equal(t, daxpay.ReasonUnknown, daxpay.ReasonOf(nil))
	require.Equal(t, daxpay.ReasonUnknown, daxpay.ReasonOf(errors.New("other")))
}
