package param

import "github.com/daxpay-go/daxpay/model"

// WxAuthURLParam requests the link by which a WeChat user tells the merchant the OpenID: 获取微信OAuth2授权链接.
type WxAuthURLParam struct {
	Common
	// URL is where WeChat sends the user back to (授权后跳转地址), required, at most 200 characters.
	URL string `json:"url" daxpay:"opaque,required,max=200"`
	// State is returned with the user (状态), at most 128 characters.
	State string `json:"state" daxpay:"opaque,max=128"`
}

// Call implements Request.
func (*WxAuthURLParam) Call() Call[model.WxAuthURLModel] {
	return Call[model.WxAuthURLModel]{Path: "/unipay/assist/getWxAuthUrl", Effect: EffectReadOnly}
}

// WxAccessTokenParam exchanges the code that the user brought back from WeChat for the OpenID: 获取微信AccessToken.
type WxAccessTokenParam struct {
	Common
	// Code is what WeChat gave the user (授权码), required, at most 64 characters. It works once.
	Code string `json:"code" daxpay:"required,max=64"`
}

// Call implements Request.
func (*WxAccessTokenParam) Call() Call[model.WxAccessTokenModel] {
	return Call[model.WxAccessTokenModel]{
		Path:    "/unipay/assist/getWxAccessToken",
		Recover: "have the user authorize again: a code works once",
	}
}
