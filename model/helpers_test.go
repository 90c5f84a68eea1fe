package model_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/model"
)

func TestFen(t *testing.T) {
	for yuan, fen := range map[string]int64{
		"0.00": 0, "0.01": 1, "0.10": 10, "12.30": 1230, "100.00": 10000, "-0.05": -5, "-12.30": -1230,
		"21474836.47": math.MaxInt32, "92233720368547758.07": math.MaxInt64, "-92233720368547758.08": math.MinInt64,
	} {
		require.Equal(t, yuan, model.FormatFen(fen))
		got, err := model.ParseFen(yuan)
		require.NoError(t, err)
		require.Equal(t, fen, got)
	}
	for yuan, fen := range map[string]int64{"12": 1200, "12.3": 1230, "007.5": 750, "-0": 0, "0.29": 29, "1.15": 115} {
		got, err := model.ParseFen(yuan)
		require.NoError(t, err)
		require.Equal(t, fen, got, yuan)
	}
	for _, yuan := range []string{
		"", "-", ".", ".5", "5.", "1.234", "1,000", "+1", "1e2", " 1", "1 ", "--1", "1.-2", "0x10", "１", "1_0", "NaN",
		"92233720368547758.08", "-92233720368547758.09", strings.Repeat("9", 40),
	} {
		_, err := model.ParseFen(yuan)
		require.Error(t, err, yuan)
		require.Less(t, len(err.Error()), 120)
	}
}

func TestChannelOfAuthCode(t *testing.T) {
	for code, want := range map[string]model.Channel{
		"101111111111111111": model.ChannelWeChat, "151111111111111111": model.ChannelWeChat,
		"251111111111111111": model.ChannelAli, "281111111111111111": model.ChannelAli,
		"301111111111111111":  model.ChannelAli,
		"6211111111111111111": model.ChannelUnion,
		"091111111111111111":  "", "161111111111111111": "", "241111111111111111": "", "311111111111111111": "",
		"611111111111111111": "", "631111111111111111": "", "": "", "1": "", "1x1111": "", "28 1111": "", "２８1": "",
	} {
		require.Equal(t, want, model.ChannelOfAuthCode(code), code)
	}
}

func TestWeChatJSAPI(t *testing.T) {
	const payBody = `{"timeStamp":"1715500231","package":"prepay_id=wx1","paySign":"S","appId":"wx8","signType":"HMAC-SHA256",` +
		`"nonceStr":"n"}`
	p, err := model.ParseWeChatJSAPI(payBody)
	require.NoError(t, err)
	require.Equal(t, model.WeChatJSAPI{
		AppID: "wx8", TimeStamp: "1715500231", NonceStr: "n", Package: "prepay_id=wx1", SignType: "HMAC-SHA256", PaySign: "S",
	}, p)
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, payBody, string(text))
	for _, other := range []string{
		"", "{}", "null", "[]", `"x"`, "2024051222001", "https://qr.alipay.com/x", "<form></form>",
		strings.Replace(payBody, `"paySign":"S"`, `"paySign":""`, 1), strings.Replace(payBody, `"1715500231"`, "1715500231", 1),
	} {
		_, err := model.ParseWeChatJSAPI(other)
		require.Error(t, err, other)
		require.NotContains(t, err.Error(), "wx8")
	}
}
