package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// WxAuthURL asks for the link by which a WeChat user lets the merchant know the OpenID: 获取微信OAuth2授权链接. It changes
// nothing and can be sent again.
func (c *Client) WxAuthURL(ctx context.Context, p *param.WxAuthURLParam) (*Result[model.WxAuthURLModel], error) {
	return Execute(ctx, c, p)
}

// WxAccessToken exchanges the code with which the user came back for the OpenID: 获取微信AccessToken. A code works once:
// after ErrOutcomeUnknown have the user authorize again.
func (c *Client) WxAccessToken(ctx context.Context, p *param.WxAccessTokenParam) (*Result[model.WxAccessTokenModel],
	error) {
	return Execute(ctx, c, p)
}
