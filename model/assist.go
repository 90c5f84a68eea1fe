package model

// WxAuthURLModel answers the request for a WeChat authorization link, 获取微信OAuth2授权链接.
type WxAuthURLModel struct {
	Common
	// URL is where to send the user (授权链接), never empty.
	URL string `json:"url" daxpay:"opaque,proof"`
}

// WxAccessTokenModel answers the request for a WeChat token, 获取微信AccessToken.
type WxAccessTokenModel struct {
	Common
	// AccessToken is WeChat's (微信AccessToken), mostly empty. Keep it secret.
	AccessToken string `json:"accessToken"`
	// OpenID is the user's (微信用户OpenId), never empty.
	OpenID string `json:"openId" daxpay:"proof"`
}
