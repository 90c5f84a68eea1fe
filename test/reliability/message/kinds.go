// Package message has one signed message of every kind that a gateway sends, all its members filled, and knows what the
// protocol lets others change in it: see Exceptions.
package message

import (
	"cmp"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

const (
	// Secret signs the messages.
	Secret = "message-secret"
	// TraceID is in every answer.
	TraceID = "otTneUZX4KEK"
	// Path is what errors about notices have as their path.
	noticePath = "notice"

	made = 1715500234
)

// Zone is where the times of the messages are printed.
var Zone = time.FixedZone("Asia/Shanghai", 8*60*60)

// Now is when the messages were made.
func Now() time.Time { return time.Unix(made, 0) }

// Kind is a kind of answer or notice.
type Kind struct {
	// Name is the param's type, or the notice's.
	Name string
	// Path is that of the call, or "notice".
	Path string
	// Model is the struct that the message becomes.
	Model reflect.Type
	// Effect is that of the call.
	Effect param.Effect
	// Echoes are the members that must be what was asked for, Proofs those without which nothing succeeded.
	Echoes, Proofs []string

	members string
	receive func(context.Context, *daxpay.Client, []byte) (*Outcome, error)
}

// IsNotice tells notices from answers.
func (k *Kind) IsNotice() bool { return k.Path == noticePath }

// Outcome is all that reaches the user of a message that was accepted.
type Outcome struct {
	Model       any // pointer to the struct
	Code        int
	Msg         string
	TraceID     string
	Raw         json.RawMessage
	Verified    bool
	SecretIndex int
}

// Signed is a message of the kind: the object that carries the signature, and the whole body.
type Signed struct {
	Object, Body string
	Sign         string
}

// Sealed signs the kind's message, by the gateway's way and not the client's.
func (k *Kind) Sealed(signType daxpay.SignType) Signed {
	return k.Seal(k.members, signType)
}

// Members are those of the message, sign included, with a place holder for its value.
func (k *Kind) Members() string { return k.members }

// SignMark stands in members for the signature.
const SignMark = "SIGN"

// Seal signs members, in which SignMark stands where the signature belongs.
func (k *Kind) Seal(members string, signType daxpay.SignType) Signed {
	object, err := peer.Parse([]byte("{" + members + "}"))
	if err != nil {
		panic("message: " + k.Name + ": " + err.Error()) // a mistake in this package
	}
	s := Signed{Sign: peer.Sign(object, string(signType), Secret, Zone)}
	s.Object = "{" + strings.Replace(members, SignMark, s.Sign, 1) + "}"
	s.Body = k.Wrap(s.Object)
	return s
}

// Wrap puts the signed object into what stands around it.
func (k *Kind) Wrap(object string) string {
	if k.IsNotice() {
		return object
	}
	return `{"msg":"success","code":0,"data":` + object + `,"traceId":"` + TraceID + `"}`
}

func answer[T any](p param.Request[T], members string) Kind {
	call := p.Call()
	return Kind{
		Name: reflect.TypeOf(p).Elem().Name(), Path: call.Path, Model: reflect.TypeFor[T](), Effect: call.Effect,
		Echoes: echoes(reflect.ValueOf(p).Elem()), Proofs: proofs(reflect.TypeFor[T]()),
		members: common + members + tail,
		receive: func(ctx context.Context, kit *daxpay.Client, _ []byte) (*Outcome, error) {
			res, err := daxpay.Execute(ctx, kit, p)
			if err != nil {
				return nil, err
			}
			return &Outcome{
				Model: &res.Data, Code: res.Code, Msg: res.Msg, TraceID: res.TraceID, Raw: res.Raw, Verified: res.Verified,
				SecretIndex: res.SecretIndex,
			}, nil
		},
	}
}

func notice[T any](members string) Kind {
	return Kind{
		Name: reflect.TypeFor[T]().Name(), Path: noticePath, Model: reflect.TypeFor[T](),
		Proofs:  proofs(reflect.TypeFor[T]()),
		members: common + members + tail,
		receive: func(_ context.Context, kit *daxpay.Client, body []byte) (*Outcome, error) {
			n, err := kit.ParseNotice(body)
			if err != nil {
				return nil, err
			}
			return &Outcome{Model: n, Raw: body, Verified: true}, nil
		},
	}
}

// echoes are the names under which an answer has the numbers that are set in a param.
func echoes(p reflect.Value) []string {
	var names []string
	for i := range p.NumField() {
		f := p.Type().Field(i)
		for _, rule := range strings.Split(f.Tag.Get("daxpay"), ",") {
			if key, name, _ := strings.Cut(rule, "="); key == "no" && !p.Field(i).IsZero() {
				names = append(names, cmp.Or(name, jsonName(f)))
			}
		}
	}
	return names
}

// proofs are the names of the members of a model that prove success.
func proofs(m reflect.Type) []string {
	var names []string
	for i := range m.NumField() {
		if f := m.Field(i); slices.Contains(strings.Split(f.Tag.Get("daxpay"), ","), "proof") {
			names = append(names, jsonName(f))
		}
	}
	return names
}

// ProofsOf are the members that the model of a result must have. A notice can become another kind of notice.
func ProofsOf(o *Outcome) []string { return proofs(reflect.TypeOf(o.Model).Elem()) }

// The members that every message has, and what a newer gateway might add to one.
const (
	common = `"code":0,"msg":"处理 \"完成\"","resTime":1715500234,"sign":"` + SignMark + `"`
	tail   = `,"future":{"B":"x","a":[1,2.50,true,null]},"futureNull":null,"futureText":"caf\u00e9"`
)

const (
	payOrder = `,"orderNo":"DEVP24051215501900000","bizOrderNo":"B1","outOrderNo":"4200002","title":"会员 \"VIP\"","description":"A&B&device=ios",` +
		`"allocation":true,"autoAllocation":true,"channel":"wechat_pay","method":"jsapi","amount":9900,"status":"success",` +
		`"refundStatus":"no_refund","allocStatus":"waiting","payTime":1715500200,"expiredTime":"1715502000","closeTime":1715500201,` +
		`"errorCode":"E0","errorMsg":"无"`
	refundOrder = `,"orderNo":"P1","bizOrderNo":"B1","outOrderNo":"4200002","title":"会员","refundNo":"R1","bizRefundNo":"BR1",` +
		`"outRefundNo":"503","channel":"ali_pay","orderAmount":"9900","amount":100,"reason":"买错了\\退","refundTime":1715500200,` +
		`"finishTime":1715500210,"status":"success","errorCode":"E0","errorMsg":"无"`
	allocOrder = `,"allocNo":"A1","bizAllocNo":"BA1","outAllocNo":"300","orderNo":"P1","bizOrderNo":"B1","title":"会员",` +
		`"channel":"ali_pay","amount":60,"description":"佣金","status":"allocation_end","result":"all_success",` +
		`"errorCode":"E0","errorMsg":"无",`
	shares = `"details":[{"receiverNo":"V1","amount":60,%RATE%"receiverType":"wx_merchant","receiverAccount":"1900000109",` +
		`"receiverName":"张\n三 Brown","result":"success","errorCode":"E0","errorMsg":"no: \"x\"","finishTime":%TIME%}]`
	allocation = `,"allocNo":"A1","bizAllocNo":"BA1","orderId":"1795819690000000001","status":`
)

func allocShares(rate, when string) string {
	return strings.NewReplacer("%RATE%", rate, "%TIME%", when).Replace(shares)
}

// Kinds returns every kind: the answers to all calls whose answers are signed, and the notices.
func Kinds() []Kind {
	receiver := param.AllocReceiverAddParam{
		ReceiverNo: "V1", Channel: model.ChannelAli, ReceiverType: model.ReceiverAliUserID, ReceiverAccount: "2088",
		RelationType: model.RelationStaff,
	}
	pay := param.PayParam{BizOrderNo: "B1", Title: "t", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 1}
	return []Kind{
		answer(&param.PaySyncParam{OrderNo: "P1", BizOrderNo: "B1"},
			`,"orderNo":"P1","bizOrderNo":"B1","status":"pay_success"`),
		answer(&param.RefundSyncParam{RefundNo: "R1"}, `,"refundNo":"R1","bizRefundNo":"BR1","status":"refund_success"`),
		answer(&param.AllocSyncParam{AllocNo: "A1"}, `,"allocNo":"A1","bizAllocNo":"BA1"`),
		answer(&param.TransferSyncParam{TransferNo: "T1"}, `,"status":"success"`),
		answer(&pay, `,"bizOrderNo":"B1","orderNo":"P1","status":"progress","payBody":"{\"url\":\"https://qr.example.com/?a=1&b=2\"}"`),
		answer(&param.PayCloseParam{OrderNo: "P1"}, ""),
		answer(&param.PayCancelParam{OrderNo: "P1"}, ""),
		answer(&param.RefundParam{BizRefundNo: "BR1", OrderNo: "P1", Amount: 1},
			`,"refundNo":"R1","bizRefundNo":"BR1","status":"progress"`),
		answer(&param.TransferParam{BizTransferNo: "BT1", Channel: model.ChannelAli, Amount: 1},
			`,"bizTransferNo":"BT1","transferNo":"T1","status":"transferring"`),
		answer(&param.AllocStartParam{BizAllocNo: "BA1", OrderNo: "P1"}, allocation+`"allocation_processing"`),
		answer(&param.AllocFinishParam{AllocNo: "A1"}, allocation+`"finish"`),
		answer(&receiver, ""),
		answer(&param.AllocReceiverRemoveParam{ReceiverNo: "V1"}, ""),
		answer(&param.QueryPayOrderParam{BizOrderNo: "B1"}, payOrder+`,"refundableBalance":9900`),
		answer(&param.QueryRefundOrderParam{RefundNo: "R1"}, refundOrder),
		answer(&param.QueryTransferOrderParam{BizTransferNo: "BT1"},
			`,"bizTransferNo":"BT1","transferNo":"T1","outTransferNo":"110","channel":"ali_pay",`+
				`"amount":100,"title":"工资","reason":"五月","transferType":"employee","payeeType":"ali_user_id","payeeAccount":"2088",`+
				`"payeeName":"王小明","status":"success","successTime":"2024-05-12 15:50:30","errorCode":"E0","errorMsg":"无"`),
		answer(&param.QueryAllocOrderParam{AllocNo: "A1"},
			`,"outOrderNo":"4200002"`+allocOrder+`"finishTime":"2024-05-12 15:50:31",`+
				allocShares(`"rate":"5000",`, `"2024-05-12 15:50:31"`)),
		answer(&param.QueryAllocReceiversParam{ReceiverNo: "V1"},
			`,"receivers":[{"receiverNo":"V1","channel":"ali_pay","receiverType":"ali_user_id",`+
				`"receiverAccount":"2088","receiverName":"店主 \"老王\"","relationType":"STORE_OWNER","relationName":"店主"}]`),
		answer(&param.WxAuthURLParam{URL: "https://shop.example.com"},
			`,"url":"https://open.weixin.qq.com/connect?appid=wx1&scope=snsapi_base#x"`),
		answer(&param.WxAccessTokenParam{Code: "c"}, `,"accessToken":"80_token","openId":"oUpF8"`),
		notice[model.PayNotice](payOrder + `,"attach":"x=1"`),
		notice[model.RefundNotice](refundOrder + `,"attach":"x=1"`),
		notice[model.AllocNotice](allocOrder + `"attach":"x=1","finishTime":1715500231,` + allocShares("", "1715500231")),
	}
}
