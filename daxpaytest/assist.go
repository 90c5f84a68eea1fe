package daxpaytest

import (
	"net/url"

	"github.com/daxpay-go/daxpay/model"
)

// appID returns the app ID of WeChat. Without one the calls about WeChat fail.
func (g *Gateway) appID() (string, error) {
	if id := g.settings.Channels[model.Channel(channelWeChat)].AppID; id != nil {
		return *id, nil
	}
	return "", fault(codeSystem, textNoAppID)
}

func (g *Gateway) wxAuthURL(p params) (outcome, error) {
	id, err := g.appID()
	if err != nil {
		return outcome{}, err
	}
	target := "null"
	if to := p.text("url"); to != nil {
		target = url.QueryEscape(*to)
	}
	url := "https://open.weixin.qq.com/connect/oauth2/authorize?appid=" + id + "&redirect_uri=" + target +
		"&response_type=code&scope=snsapi_base&state=" + p.known("state") + "&connect_redirect=1#wechat_redirect"
	return outcome{members: object{{"url", url}}}, nil
}

// wxAccessToken takes any code, but each only once.
func (g *Gateway) wxAccessToken(p params) (outcome, error) {
	if _, err := g.appID(); err != nil {
		return outcome{}, err
	}
	code := p.known("code")
	if code == "" || g.codes[code] {
		return outcome{}, silent()
	}
	g.codes[code] = true
	g.changes.named("rest", "")
	return outcome{members: object{{"accessToken", nil}, {"openId", "openid-" + code}}}, nil
}
