package model

import (
	"encoding/json"
	"errors"
)

// WeChatJSAPI holds the parameters with which a page or a mini program starts a payment in WeChat (微信调起支付参数):
// the PayBody of a payment by ChannelWeChat and MethodJSAPI. As JSON it has the names that WeChat's script expects.
type WeChatJSAPI struct {
	// AppID is the official account or the mini program (公众号ID).
	AppID string `json:"appId"`
	// TimeStamp is when it was signed (时间戳): Unix seconds as a string, as WeChat wants it.
	TimeStamp string `json:"timeStamp"`
	// NonceStr is a random text (随机串).
	NonceStr string `json:"nonceStr"`
	// Package names the payment (预支付ID), such as "prepay_id=wx2016".
	Package string `json:"package"`
	// SignType is the algorithm of PaySign (签名类型).
	SignType string `json:"signType"`
	// PaySign is the signature over the other fields (签名).
	PaySign string `json:"paySign"`
}

// ParseWeChatJSAPI parses the PayBody of a payment by ChannelWeChat and MethodJSAPI. Any other PayBody is an error.
// With MethodApp, WeChat's is the prepay_id alone, which the merchant's server must sign for the app; those of other
// channels are a URL, a form, an order string or a number.
func ParseWeChatJSAPI(payBody string) (WeChatJSAPI, error) {
	var p WeChatJSAPI
	if err := json.Unmarshal([]byte(payBody), &p); err != nil {
		return WeChatJSAPI{}, errors.New("model: the PayBody is not the JSON of a WeChat JSAPI payment")
	}
	for _, member := range []struct{ name, value string }{
		{"appId", p.AppID}, {"timeStamp", p.TimeStamp}, {"nonceStr", p.NonceStr}, {"package", p.Package},
		{"signType", p.SignType}, {"paySign", p.PaySign},
	} {
		if member.value == "" {
			return WeChatJSAPI{}, errors.New("model: the PayBody has no " + member.name)
		}
	}
	return p, nil
}
