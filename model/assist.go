package model

// WxAuthURLModel is the answer to the request for a WeChat authorization link, 获取微信OAuth2授权链接.
type WxAuthURLModel struct {
	Common
	// URL is the page to send the user to (授权链接), never empty.
	URL string `json:"url" daxpay:"opaque,proof"`
}

// WxAccessTokenModel is the answer to the request for a WeChat token, 获取微信AccessToken.
type WxAccessTokenModel struct {
	Common
	// AccessToken is WeChat's token (微信AccessToken), usually empty. Keep it secret.
	AccessToken string `json:"accessToken"`
	// OpenID identifies the user (微信用户OpenId), never empty.
	OpenID string `json:"openId" daxpay:"proof"`
}
