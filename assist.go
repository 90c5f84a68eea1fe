package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// WxAuthURL returns the link by which a WeChat user tells the merchant the OpenID: 获取微信OAuth2授权链接. It changes
// nothing and is safe to repeat.
func (c *Client) WxAuthURL(ctx context.Context, p *param.WxAuthURLParam) (*Result[model.WxAuthURLModel], error) {
	return Execute(ctx, c, p)
}

// WxAccessToken exchanges the code that the user brought back from WeChat for the OpenID: 获取微信AccessToken. A code
// works once: after ErrOutcomeUnknown have the user authorize again.
func (c *Client) WxAccessToken(ctx context.Context, p *param.WxAccessTokenParam) (*Result[model.WxAccessTokenModel],
	error) {
	return Execute(ctx, c, p)
}
