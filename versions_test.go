package daxpay_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/calltable"
	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// sentBy is what a call with that Gateway sends, without the members that every request has, and its error if nothing
// is sent.
func sentBy(t *testing.T, version daxpay.GatewayVersion, call func(kit *daxpay.Client) error) (body string, err error) {
	t.Helper()
	var sent []byte
	kit, transport := mocked(t, daxpay.Config{Gateway: version, Now: at(now)}, recordBody(&sent, `{"code":1,"msg":"no"}`))
	err = call(kit)
	if transport.GetTotalCallCount() == 0 {
		return "", err
	}
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(sent, &members))
	for _, name := range []string{"reqTime", "nonceStr", "sign"} {
		delete(members, name)
	}
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return string(text), nil
}

// do makes a call for its request alone.
func do[T any](p param.Request[T]) func(kit *daxpay.Client) error {
	return func(kit *daxpay.Client) error {
		_, err := daxpay.Execute(context.Background(), kit, p)
		return err
	}
}

func pay(edit func(p *param.PayParam)) func(kit *daxpay.Client) error {
	p := &param.PayParam{BizOrderNo: "B1", Title: "t", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 1}
	edit(p)
	return do(p)
}

func refund(edit func(p *param.RefundParam)) func(kit *daxpay.Client) error {
	p := &param.RefundParam{BizRefundNo: "R1", OrderNo: "P1", Amount: 1}
	edit(p)
	return do(p)
}

func allocate(edit func(p *param.AllocStartParam)) func(kit *daxpay.Client) error {
	p := &param.AllocStartParam{BizAllocNo: "A1", OrderNo: "P1"}
	edit(p)
	return do(p)
}

// Each version gets the members that it knows, in its form. If it lacks one, the error names the field.
func TestMembersOfVersions(t *testing.T) {
	const automatic, v206, v207, v208 = daxpay.GatewayAuto, daxpay.GatewayV206, daxpay.GatewayV207, daxpay.GatewayV208
	const pays = `"amount":1,"bizOrderNo":"B1","channel":"ali_pay","method":"qrcode"`
	const refunds = `"amount":1,"bizRefundNo":"R1"`
	for _, tt := range []struct {
		name     string
		call     func(kit *daxpay.Client) error
		versions []daxpay.GatewayVersion
		sent     string // or
		fault    string
	}{
		{"pay without a notice", pay(func(p *param.PayParam) { p.NotNotify = true }), []daxpay.GatewayVersion{v206, v207},
			`{` + pays + `,"notNotify":false,"title":"t"}`, ""},
		{"pay without a notice", pay(func(p *param.PayParam) { p.NotNotify = true }),
			[]daxpay.GatewayVersion{v208, automatic}, "", "NotNotify does not exist in gateway 2.0.8, only in 2.0.6, 2.0.7"},
		{"refund without a notice", refund(func(p *param.RefundParam) { p.NotNotify = true }),
			[]daxpay.GatewayVersion{v206, v207}, `{` + refunds + `,"notNotify":false,"orderNo":"P1"}`, ""},
		{"refund without a notice", refund(func(p *param.RefundParam) { p.NotNotify = true }),
			[]daxpay.GatewayVersion{v208, automatic}, "", "NotNotify does not exist in gateway 2.0.8"},
		{"allocation without a notice", allocate(func(p *param.AllocStartParam) { p.NotNotify = true }),
			[]daxpay.GatewayVersion{v207}, `{"bizAllocationNo":"A1","notNotify":false,"orderNo":"P1"}`, ""},
		{"allocation without a notice", allocate(func(p *param.AllocStartParam) { p.NotNotify = true }),
			[]daxpay.GatewayVersion{v206}, "", "NotNotify does not exist in gateway 2.0.6, only in 2.0.7"},
		{"allocation without a notice", allocate(func(p *param.AllocStartParam) { p.NotNotify = true }),
			[]daxpay.GatewayVersion{v208}, "", "NotNotify does not exist in gateway 2.0.8, only in 2.0.7"},

		{"allocation", allocate(func(p *param.AllocStartParam) { p.Description, p.BizOrderNo = "d", "B1" }),
			[]daxpay.GatewayVersion{v206, v207}, `{"bizAllocationNo":"A1","bizOrderNo":"B1","description":"d","orderNo":"P1"}`,
			""},
		{"allocation", allocate(func(*param.AllocStartParam) {}), []daxpay.GatewayVersion{v208},
			`{"bizAllocNo":"A1","orderNo":"P1"}`, ""},
		{"allocation to a group by ID", allocate(func(p *param.AllocStartParam) { p.GroupID = 7 }),
			[]daxpay.GatewayVersion{v206}, `{"allocationGroupId":7,"bizAllocationNo":"A1","orderNo":"P1"}`, ""},
		{"allocation to a group by ID", allocate(func(p *param.AllocStartParam) { p.GroupID = 7 }),
			[]daxpay.GatewayVersion{v207, v208, automatic}, "", "GroupID does not exist in gateway"},
		{"allocation to a group", allocate(func(p *param.AllocStartParam) { p.GroupNo = "G" }), []daxpay.GatewayVersion{v206},
			"", "GroupNo does not exist in gateway 2.0.6, only in 2.0.7, 2.0.8"},
		{"allocation to receivers", allocate(func(p *param.AllocStartParam) {
			p.Receivers = []param.AllocReceiver{{ReceiverNo: "V", Amount: 1}}
		}), []daxpay.GatewayVersion{v206}, "", "Receivers does not exist in gateway 2.0.6"},
		{"allocation with a notice", allocate(func(p *param.AllocStartParam) { p.NotifyURL = "https://shop/n" }),
			[]daxpay.GatewayVersion{v206}, "", "NotifyURL does not exist in gateway 2.0.6"},
		{"allocation with attach", allocate(func(p *param.AllocStartParam) { p.Attach = "x" }), []daxpay.GatewayVersion{v206},
			"", "Attach does not exist in gateway 2.0.6"},

		{"finish by ID", do(&param.AllocFinishParam{OrderID: 5}), []daxpay.GatewayVersion{v206}, `{"orderId":5}`, ""},
		{"finish by number", do(&param.AllocFinishParam{AllocNo: "A"}), []daxpay.GatewayVersion{v206, v207},
			`{"allocationNo":"A"}`, ""},
		{"finish by the merchant's number", do(&param.AllocFinishParam{BizAllocNo: "A"}), []daxpay.GatewayVersion{v206}, "",
			"BizAllocNo does not exist in gateway 2.0.6, only in 2.0.7, 2.0.8"},
		{"finish by the merchant's number", do(&param.AllocFinishParam{BizAllocNo: "A"}), []daxpay.GatewayVersion{v208},
			`{"bizAllocNo":"A"}`, ""},
		{"finish by ID", do(&param.AllocFinishParam{OrderID: 5}), []daxpay.GatewayVersion{v207, v208, automatic}, "",
			"OrderID does not exist in gateway"},
		{"finish of nothing", do(&param.AllocFinishParam{}), []daxpay.GatewayVersion{v206}, "",
			"AllocNo, OrderID must not all be empty"},

		{"close", do(&param.PayCloseParam{BizOrderNo: "B"}), []daxpay.GatewayVersion{v206, v207}, `{"bizTradeNo":"B"}`, ""},

		{"refund with text", refund(func(p *param.RefundParam) { p.ExtraParam = `{"b":"x", "a":1}` }),
			[]daxpay.GatewayVersion{v208, automatic}, `{` + refunds + `,"extraParam":"{\"b\":\"x\", \"a\":1}","orderNo":"P1"}`,
			""},
		{"refund with an object", refund(func(p *param.RefundParam) { p.ExtraParam = `{"b":"x", "a":1}` }),
			[]daxpay.GatewayVersion{v206, v207}, `{` + refunds + `,"extraParam":{"b":"x","a":1},"orderNo":"P1"}`, ""},
		{"refund with other text", refund(func(p *param.RefundParam) { p.ExtraParam = "x" }),
			[]daxpay.GatewayVersion{v208, automatic}, `{` + refunds + `,"extraParam":"x","orderNo":"P1"}`, ""},
		{"refund with other text", refund(func(p *param.RefundParam) { p.ExtraParam = "x" }),
			[]daxpay.GatewayVersion{v206, v207}, "", "ExtraParam must be one JSON object"},
		{"refund with a list", refund(func(p *param.RefundParam) { p.ExtraParam = "[1]" }), []daxpay.GatewayVersion{v207}, "",
			"ExtraParam must be one JSON object"},
		{"refund with a number", refund(func(p *param.RefundParam) { p.ExtraParam = `{"a":1e23}` }),
			[]daxpay.GatewayVersion{v207}, "", "ExtraParam holds a number"},
		{"refund with a number", refund(func(p *param.RefundParam) { p.ExtraParam = `{"a":1e23}` }),
			[]daxpay.GatewayVersion{v208}, `{` + refunds + `,"extraParam":"{\"a\":1e23}","orderNo":"P1"}`, ""},

		{"text of 255", pay(func(p *param.PayParam) { p.Title = strings.Repeat("t", 255) }),
			[]daxpay.GatewayVersion{v206, v207}, `{` + pays + `,"title":"` + strings.Repeat("t", 255) + `"}`, ""},
		{"text of 256", pay(func(p *param.PayParam) { p.Title = strings.Repeat("t", 256) }),
			[]daxpay.GatewayVersion{v206, v207}, "", "Title must have at most 255 characters, not 256: gateway 2.0."},
		{"text of 101", pay(func(p *param.PayParam) { p.Title = strings.Repeat("t", 101) }),
			[]daxpay.GatewayVersion{v208, automatic}, "", "Title must have at most 100 characters, not 101"},
		{"attach of 256", pay(func(p *param.PayParam) { p.Attach = strings.Repeat("t", 256) }),
			[]daxpay.GatewayVersion{v206, v207}, "", "Attach must have at most 255"},
		{"attach of 256", pay(func(p *param.PayParam) { p.Attach = strings.Repeat("t", 256) }),
			[]daxpay.GatewayVersion{v208, automatic},
			`{"amount":1,"attach":"` + strings.Repeat("t", 256) +
				`","bizOrderNo":"B1","channel":"ali_pay","method":"qrcode","title":"t"}`, ""},
		{"extra of 256", pay(func(p *param.PayParam) {
			p.ExtraParam = param.BarCode{AuthCode: strings.Repeat("1", 256-len(`{"authCode":""}`))}
		}), []daxpay.GatewayVersion{v207}, "", "ExtraParam must have at most 255 characters, not 256"},
		{"extra JSON of 256", pay(func(p *param.PayParam) {
			p.ExtraParam = param.ExtraJSON(`{ "authCode" : "` + strings.Repeat("<", 256-len(`{"authCode":""}`)) + `"}`)
		}), []daxpay.GatewayVersion{v207}, "", "ExtraParam must have at most 255 characters, not 256"},
		{"extra of 2049", pay(func(p *param.PayParam) {
			p.ExtraParam = param.BarCode{AuthCode: strings.Repeat("1", 2049-len(`{"authCode":""}`))}
		}), []daxpay.GatewayVersion{v208}, "", "ExtraParam must have at most 2048 characters, not 2049"},
		{"refund extra of 256", refund(func(p *param.RefundParam) {
			p.ExtraParam = `{"a":"` + strings.Repeat("x", 248) +
				`"}`
		}), []daxpay.GatewayVersion{v207}, "", "ExtraParam must have at most 255 characters, not 256"},
		{"a URL that is not stored", do(&param.WxAuthURLParam{URL: "https://x/" + strings.Repeat("x", 300)}),
			[]daxpay.GatewayVersion{v207}, `{"url":"https://x/` + strings.Repeat("x", 300) + `"}`, ""},
		{"a receiver of 21", allocate(func(p *param.AllocStartParam) {
			p.Receivers = []param.AllocReceiver{{ReceiverNo: strings.Repeat("V", 21), Amount: 1}}
		}), []daxpay.GatewayVersion{v208, automatic}, "", "Receivers[0].ReceiverNo must have at most 20 characters, not 21"},
		{"a receiver of 21", allocate(func(p *param.AllocStartParam) {
			p.Receivers = []param.AllocReceiver{{ReceiverNo: strings.Repeat("V", 21), Amount: 1}}
		}), []daxpay.GatewayVersion{v207},
			`{"bizAllocationNo":"A1","orderNo":"P1","receivers":[{"amount":1,"receiverNo":"` + strings.Repeat("V", 21) + `"}]}`,
			""},

		{"query of an allocation", do(&param.QueryAllocOrderParam{BizAllocNo: "A"}),
			[]daxpay.GatewayVersion{v207, v208, automatic}, "", "AllocNo must be set"},
		{"sync of an allocation", do(&param.AllocSyncParam{BizAllocNo: "A"}), []daxpay.GatewayVersion{v207, v208, automatic},
			"", "AllocNo must be set"},
		{"nonce", do(&param.PaySyncParam{Common: param.Common{NonceStr: "n"}, OrderNo: "P"}),
			[]daxpay.GatewayVersion{v206, v207}, `{"orderNo":"P"}`, ""},
	} {
		for _, version := range tt.versions {
			t.Run(tt.name+"/"+string(version), func(t *testing.T) {
				sent, err := sentBy(t, version, tt.call)
				if tt.fault == "" {
					require.NoError(t, err)
					require.Equal(t, tt.sent, sent)
					return
				}
				require.ErrorIs(t, err, daxpay.ErrParam)
				require.ErrorContains(t, err, tt.fault)
				require.Empty(t, sent)
			})
		}
	}
}

// A call that a version does not have is refused, even with an empty param.
func TestCallsThatVersionsLack(t *testing.T) {
	for _, c := range calltable.All() {
		for _, version := range calltable.Versions() {
			if c.Sent[version] != "" || slices.Contains(c.Unfit, version) {
				continue
			}
			sent, err := sentBy(t, version, func(kit *daxpay.Client) error {
				_, err := c.Do(context.Background(), kit, reflect.New(c.ParamType).Interface())
				return err
			})
			require.ErrorIs(t, err, daxpay.ErrUnsupported)
			require.ErrorContains(t, err, "and Config.Gateway is "+string(version)+": set it")
			require.Empty(t, sent)
		}
	}
}

// GatewayAuto finds the form of a member that the gateway understands. If the value fits no form, the error says so.
func TestAutoFindsTheForm(t *testing.T) {
	call := func(extra string) ([]string, error) {
		var forms []string
		var body []byte
		kit, _ := mocked(t, daxpay.Config{Now: at(now)}, func(r *http.Request) (*http.Response, error) {
			answer := `{"code":10005,"msg":"JSON parse error"}`
			_, err := recordBody(&body, "")(r)
			require.NoError(t, err)
			var members struct{ ExtraParam json.RawMessage }
			require.NoError(t, json.Unmarshal(body, &members))
			forms = append(forms, string(members.ExtraParam))
			return jsonAnswer(answer)(r)
		})
		return forms, refund(func(p *param.RefundParam) { p.ExtraParam = extra })(kit)
	}
	forms, err := call(`{"a":1}`)
	require.Equal(t, []string{`"{\"a\":1}"`, `{"a":1}`}, forms)
	require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, daxpay.ErrParam)

	forms, err = call(`x`)
	require.Equal(t, []string{`"x"`}, forms)
	require.ErrorContains(t, err, "code 10005")
	require.ErrorContains(t, err, "ExtraParam must be one JSON object: gateway 2.0.7 takes no other text there")

	forms, err = call("")
	require.Len(t, forms, 1, "the form of a member that is not sent does not matter")
	require.Error(t, err)
}

// Every recorded request that succeeded can be made with a param: filled with the values of the request, the param of
// the call makes the same members under the names of that version.
func TestParamsMakeTheRecordedRequests(t *testing.T) {
	made := map[gateway.Version]int{}
	for version, folder := range map[gateway.Version]string{gateway.V206: "206", gateway.V207: "207",
		gateway.V208: "208"} {
		types := map[string]string{} // the path in that version → in 2.0.8
		for path := range asked {
			if here, ok := version.Path(path); ok {
				types[here] = path
			}
		}
		files, err := filepath.Glob(filepath.Join("testdata", "conformance", folder, "*.json"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var scenario struct {
				Steps []struct {
					Call     string
					Request  map[string]any
					Unsigned []string
					Answer   struct {
						Code *int
						Data struct{ Code *int }
					}
				}
			}
			if json.Unmarshal(text, &scenario) != nil {
				continue // a request that is no object
			}
			for _, step := range scenario.Steps {
				path, known := types[step.Call]
				succeeded := step.Answer.Code != nil && *step.Answer.Code == 0 && step.Answer.Data.Code != nil &&
					*step.Answer.Data.Code == 0
				if !known || !succeeded || len(step.Unsigned) > 0 || !sendable(step.Request) {
					continue
				}
				require.Equal(t, names(step.Request), namesMade(t, version, path, step.Request), "%s: %v", file, step.Request)
				made[version]++
			}
		}
	}
	require.Greater(t, made[gateway.V206], 50)
	require.Greater(t, made[gateway.V207], 80)
	require.Greater(t, made[gateway.V208], 600)
}

// sendable tells whether the client could send the request: it has no null, no empty text, no false, no number in place
// of a text, and no sign.
func sendable(request map[string]any) bool {
	for name, value := range request {
		switch list, isList := value.([]any); {
		case value == nil, value == "", value == false, isList && len(list) == 0:
			return false
		case name == "extraParam" && reflect.TypeOf(value) == reflect.TypeFor[float64]():
			return false
		case name == "sign", name == "reqTime", name == "status": // of requests that attack
			return false
		}
	}
	return true
}

func names(request map[string]any) map[string]bool {
	names := map[string]bool{}
	for name := range request {
		names[name] = true
	}
	return names
}

// namesMade are the names of the members that the param of a call makes, filled with the values of a request of that
// version.
func namesMade(t *testing.T, version gateway.Version, path string, request map[string]any) map[string]bool {
	t.Helper()
	p := reflect.New(asked[path].ParamType).Elem()
	plan, err := wire.PlanOf(p.Type())
	require.NoError(t, err)
	renamed := map[string]any{}
	for _, f := range plan.Fields {
		m, known := version.Member(path, f.Name)
		value, given := request[m.Name]
		if !known || !given {
			continue
		}
		switch {
		case f.Name == "extraParam" && p.Kind() == reflect.Struct && p.FieldByName("ExtraParam").Kind() == reflect.Interface:
			raw, err := json.Marshal(value)
			require.NoError(t, err)
			p.FieldByName("ExtraParam").Set(reflect.ValueOf(param.ExtraJSON(raw)))
			continue
		case strings.HasSuffix(f.Name, "Time"):
			value = now
		}
		if s, ok := value.(string); ok {
			value = strings.ReplaceAll(s, "&", "")
		}
		renamed[f.Name] = value
	}
	text, err := json.Marshal(renamed)
	require.NoError(t, err)
	var o wire.Object
	require.NoError(t, o.Read(text))
	require.NoError(t, plan.Decode(&o, p, beijing))
	layout := plan.Layout(path, version)
	var e wire.Encoder
	_, err = e.Encode(layout, p, wire.Stamp{Time: now, Zone: time.UTC})
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(e.Seal(wire.NewKey(wire.MD5, "k")), &members))
	delete(members, "sign")
	delete(members, "reqTime")
	return names(members)
}
