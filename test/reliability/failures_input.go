package main

import (
	"context"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

// doctorFailures are the faults that Doctor can find.
func doctorFailures() []failure {
	report := func(name string, reply func(s *scenario) message.Reply, said ...string) failure {
		return failure{name: "Doctor: " + name, said: said, run: func(s *scenario) []any {
			s.Reply = reply(s)
			r := s.Client.Doctor(context.Background())
			return []any{r, *r, r.String(), r.Findings}
		}}
	}
	body := func(b string) func(*scenario) message.Reply {
		return func(*scenario) message.Reply { return message.Reply{Body: []byte(b)} }
	}
	spoiled := func(spoil func(string) string) func(*scenario) message.Reply {
		return func(s *scenario) message.Reply {
			return message.Reply{Body: s.marked(kindNamed("QueryPayOrderParam"),
				replacing(`"bizOrderNo":"B1"`, `"bizOrderNo":null`), spoil)}
		}
	}
	return []failure{
		report("unreachable", func(*scenario) message.Reply { return message.Reply{Err: syscall.ECONNREFUSED} }),
		report("bad gateway", func(*scenario) message.Reply {
			return message.Reply{Status: http.StatusBadGateway, Body: []byte(nameMark)}
		}),
		report("forbidden", func(*scenario) message.Reply {
			return message.Reply{Status: http.StatusForbidden, Body: []byte(nameMark)}
		}),
		report("not found", func(*scenario) message.Reply {
			return message.Reply{Status: http.StatusNotFound, Body: []byte(nameMark)}
		}),
		report("HTML", body("<html>"+nameMark+accountMark+tokenMark)),
		report("signature refused", body(`{"code":20052,"msg":"验签失败"}`)),
		report("time refused", body(`{"code":10006,"msg":"请求时间已过期"}`)),
		report("an error that says what", body(`{"code":10001,"msg":"`+nameMark+secretMark+`"}`), nameMark,
			secretMark),
		report("signed with the secret", spoiled(nil)),
		report("forged", spoiled(replacing("1715500234", "1715500235"))),
		report("unsigned", spoiled(replacing(`"sign":"`, `"sign":null,"old":"`))),
		report("signature in upper case", spoiled(func(b string) string {
			i := strings.Index(b, `"sign":"`) + 8
			return b[:i] + strings.ToUpper(b[i:i+64]) + b[i+64:]
		})),
	}
}

// long returns a text that exceeds every limit.
func long(s string) string { return strings.Repeat(s, 300) }

// paramFailures are params that cannot be sent.
func paramFailures() []failure {
	var all []failure
	for _, calls := range []map[string]markedCall{badTransfers(), badPayments(), badParams()} {
		for name, a := range calls {
			all = append(all, failure{name: "param: " + name,
				run: func(s *scenario) []any { return failing(a.call(context.Background(), s.Client)) }})
		}
	}
	return all
}

func badTransfers() map[string]markedCall {
	transfer := func(change func(*param.TransferParam)) markedCall {
		p := &param.TransferParam{BizTransferNo: "BT1", Channel: model.ChannelAli, Amount: 1,
			PayeeType: model.PayeeAliLoginName, PayeeAccount: accountMark, PayeeName: nameMark, Attach: tokenMark}
		change(p)
		return callOf(p)
	}
	return map[string]markedCall{
		"payee's name too long":       transfer(func(p *param.TransferParam) { p.PayeeName = long(nameMark) }),
		"payee's name with NUL":       transfer(func(p *param.TransferParam) { p.PayeeName += "\x00" }),
		"payee's name not UTF-8":      transfer(func(p *param.TransferParam) { p.PayeeName += "\xff" }),
		"payee's name ambiguous":      transfer(func(p *param.TransferParam) { p.PayeeName += "&status=success" }),
		"payee's account too long":    transfer(func(p *param.TransferParam) { p.PayeeAccount = long(accountMark) }),
		"payee's account with quotes": transfer(func(p *param.TransferParam) { p.PayeeAccount += `"` }),
		"payee's account with blanks": transfer(func(p *param.TransferParam) { p.PayeeAccount += " " }),
		"payee's type": transfer(func(p *param.TransferParam) {
			p.PayeeType = model.PayeeType(long(accountMark))
		}),
		"no amount":       transfer(func(p *param.TransferParam) { p.Amount = 0 }),
		"no number":       transfer(func(p *param.TransferParam) { p.BizTransferNo = "" }),
		"attach too long": transfer(func(p *param.TransferParam) { p.Attach = long(tokenMark) }),
		"clientIp":        transfer(func(p *param.TransferParam) { p.ClientIP = accountMark }),
		"nonce too long":  transfer(func(p *param.TransferParam) { p.NonceStr = long(tokenMark) }),
		"time":            transfer(func(p *param.TransferParam) { p.ReqTime = time.Unix(1, 0) }),
	}
}

func badPayments() map[string]markedCall {
	pay := func(change func(*param.PayParam)) markedCall {
		p := &param.PayParam{BizOrderNo: "B1", Title: nameMark, Channel: model.ChannelAli, Method: model.MethodQRCode,
			Amount: 1, Attach: tokenMark}
		change(p)
		return callOf(p)
	}
	return map[string]markedCall{
		"title ambiguous": pay(func(p *param.PayParam) { p.Title += "&amount=1" }),
		"extra is no JSON": pay(func(p *param.PayParam) {
			p.ExtraParam = param.ExtraJSON(`{"openId":"` +
				accountMark)
		}),
		"extra is null": pay(func(p *param.PayParam) { p.ExtraParam = param.ExtraJSON("null") }),
		"extra with NUL": pay(func(p *param.PayParam) {
			p.ExtraParam = param.ExtraJSON(`{"openId":"` +
				accountMark + `\u0000"}`)
		}),
		"extra not UTF-8": pay(func(p *param.PayParam) {
			p.ExtraParam = param.WeChatPay{OpenID: accountMark +
				"\xff"}
		}),
		"open ID with quotes": pay(func(p *param.PayParam) {
			p.ExtraParam = param.WeChatPay{OpenID: accountMark +
				`"`}
		}),
		"notify URL too long": pay(func(p *param.PayParam) { p.NotifyURL = "https://x/" + long(tokenMark) }),
	}
}

func badParams() map[string]markedCall {
	return map[string]markedCall{
		"code too long":     callOf(&param.WxAccessTokenParam{Code: long(tokenMark)}),
		"code with control": callOf(&param.WxAccessTokenParam{Code: tokenMark + "\n"}),
		"state too long":    callOf(&param.WxAuthURLParam{URL: "https://x/", State: long(tokenMark)}),
		"receiver's name too long": callOf(&param.AllocReceiverAddParam{ReceiverName: long(nameMark),
			ReceiverAccount: accountMark}),
		"share without amount": callOf(&param.AllocStartParam{BizAllocNo: "BA1", OrderNo: "P1",
			Receivers: []param.AllocReceiver{{ReceiverNo: accountMark + `"`}}}),
		"refund reason ambiguous": callOf(&param.RefundParam{BizRefundNo: "BR1", OrderNo: "P1", Amount: 1,
			Reason: nameMark + "&status=success"}),
		"refund extra not UTF-8": callOf(&param.RefundParam{BizRefundNo: "BR1", OrderNo: "P1", Amount: 1,
			ExtraParam: tokenMark + "\xff"}),
	}
}

// configFailures are configurations that cannot work, some with a secret where none belongs.
func configFailures() []failure {
	var all []failure
	for name, change := range map[string]func(*daxpay.Config){
		"URL with password": func(c *daxpay.Config) {
			c.ServiceURL = "https://user:" + secretMark +
				"@pay.example.com"
		},
		"URL with query":    func(c *daxpay.Config) { c.ServiceURL = "https://pay.example.com/?key=" + secretMark },
		"URL with fragment": func(c *daxpay.Config) { c.ServiceURL = "https://pay.example.com/#" + secretMark },
		"URL that is none": func(c *daxpay.Config) {
			c.ServiceURL = "https://user:" + secretMark +
				"%zz@pay.example.com"
		},
		"URL without host":      func(c *daxpay.Config) { c.ServiceURL = "https://" },
		"secret not UTF-8":      func(c *daxpay.Config) { c.SignSecret += "\xff" },
		"secret twice":          func(c *daxpay.Config) { c.PreviousSecrets = []string{secretMark} },
		"previous twice":        func(c *daxpay.Config) { c.PreviousSecrets = []string{previousMark, previousMark} },
		"previous not UTF-8":    func(c *daxpay.Config) { c.PreviousSecrets = []string{previousMark + "\xff"} },
		"previous empty":        func(c *daxpay.Config) { c.PreviousSecrets = []string{previousMark, " "} },
		"algorithm unknown":     func(c *daxpay.Config) { c.SignType = "SHA1" },
		"version unknown":       func(c *daxpay.Config) { c.Gateway = "3.0" },
		"client IP":             func(c *daxpay.Config) { c.ClientIP = "x" },
		"limits":                func(c *daxpay.Config) { c.Timeout, c.MaxDepth, c.MaxAnswerSize = -1, -1, -1 },
		"secret as algorithm":   func(c *daxpay.Config) { c.SignType, c.SignSecret = secretMark, "HMAC_SHA256" },
		"secret as version":     func(c *daxpay.Config) { c.Gateway = secretMark },
		"secret as client IP":   func(c *daxpay.Config) { c.ClientIP = secretMark },
		"secret as service URL": func(c *daxpay.Config) { c.ServiceURL = secretMark },
	} {
		all = append(all, failure{name: "config: " + name, run: func(*scenario) []any {
			c := daxpay.Config{ServiceURL: "https://pay.example.com", SignSecret: secretMark,
				PreviousSecrets: []string{previousMark}}
			change(&c)
			_, err := daxpay.New(c)
			values := failing(err)
			// A Config shows a secret that stands in a field for something else: it cannot know.
			if !strings.HasPrefix(name, "secret as") && len(values) > 0 {
				values = append(values, c, &c)
			}
			return values
		}})
	}
	return append(all, failure{name: "config: secret and algorithm exchanged", run: func(*scenario) []any {
		_, err := daxpay.NewSigner(secretMark, "HMAC_SHA256")
		return failing(err)
	}})
}

// values are the exported values that hold a secret.
func values() []failure {
	config := daxpay.Config{ServiceURL: "https://pay.example.com", SignSecret: secretMark,
		PreviousSecrets: []string{previousMark}}
	value := func(name string, of func(s *scenario) []any) failure { return failure{name: "value: " + name, run: of} }
	return []failure{
		value("Config", func(*scenario) []any {
			return []any{config, &config, []daxpay.Config{config}, map[string]*daxpay.Config{"c": &config}}
		}),
		value("Client", func(s *scenario) []any {
			return []any{s.Client, *s.Client, []daxpay.Client{*s.Client},
				daxpay.Client{}}
		}),
		value("Signer", func(*scenario) []any {
			signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secretMark)
			if err != nil {
				return nil
			}
			_, read := signer.Sign([]byte(`{"payeeName":"` + nameMark))
			wrong := signer.Verify([]byte(`{"payeeName":"` + nameMark + `","sign":"` + tokenMark + `"}`))
			return []any{signer, *signer, []daxpay.Signer{*signer}, signer.In(time.UTC), read, wrong}
		}),
		value("NoticeHandler", func(s *scenario) []any { return []any{s.Client.NoticeHandler(daxpay.NoticeHandlers{})} }),
		value("zero values", func(*scenario) []any {
			_, err := (&daxpay.Client{}).ParseNotice([]byte(nameMark))
			return []any{daxpay.Config{}, daxpay.Signer{}, &daxpay.SignError{}, err}
		}),
	}
}
