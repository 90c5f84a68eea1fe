package daxpay_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// signedWith signs an object with the secret given.
func signedWith(t *testing.T, secret, members string) string {
	t.Helper()
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(t, err)
	sign, err := signer.Sign([]byte("{" + members + "}"))
	require.NoError(t, err)
	return "{" + members + `,"sign":"` + sign + `"}`
}

func TestPreviousSecrets(t *testing.T) {
	const notice = `"code":0,"resTime":1715500234,"orderNo":"P1","bizOrderNo":"B1","amount":1,"status":"success","attach":null`
	current, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(t, err)
	for used, want := range map[string]int{secret: 0, "older": 1, "oldest": 2, "unknown": -1, "OLDER": -1} {
		var sent []byte
		config := daxpay.Config{Now: at(now), PreviousSecrets: []string{"older", "oldest"}}
		kit, _ := mocked(t, config, recordBody(&sent, envelope(signedWith(t, used, good))))
		res, err := calls["SyncPay"](kit)
		require.NoError(t, current.Verify(sent), "requests are signed with the current secret")
		n, noticeErr := kit.ParseNotice([]byte(signedWith(t, used, notice)))
		if want < 0 {
			require.ErrorIs(t, err, daxpay.ErrSignMismatch)
			require.ErrorIs(t, noticeErr, daxpay.ErrSignMismatch)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, want, res.(*daxpay.Result[model.PaySyncModel]).SecretIndex)
		require.NoError(t, noticeErr)
		pay := n.(*model.PayNotice)
		require.Equal(t, want, pay.SecretIndex)
		text, err := json.Marshal(pay)
		require.NoError(t, err)
		require.NotContains(t, string(text), "SecretIndex", "it is no member of the message")
	}
	// Without PreviousSecrets, a message signed with an old secret is refused.
	kit, _ := mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(envelope(signedWith(t, "older", good))))
	_, err = calls["SyncPay"](kit)
	require.ErrorIs(t, err, daxpay.ErrSignMismatch)
}

func TestPreviousSecretsAreNotShown(t *testing.T) {
	config := daxpay.Config{ServiceURL: "http://127.0.0.1:9000", SignSecret: "canary-1",
		PreviousSecrets: []string{"canary-2", "canary-3"}, Now: at(now)}
	kit, err := daxpay.New(config)
	require.NoError(t, err)
	for _, v := range []any{config, &config, kit, *kit, []any{config}, map[string]any{"a": kit}} {
		require.NotContains(t, everyPrint(t, v), "canary", "%T", v)
	}

	var sign *daxpay.SignError
	_, err = kit.ParseNotice([]byte(`{"code":0,"resTime":1715500234,"a":"canary-1 canary-2 canary-3","sign":"canary-2"}`))
	require.ErrorAs(t, err, &sign)
	require.NotContains(t, sign.Explain(), "canary")
	require.Contains(t, sign.Explain(), "a=*** *** ***")
}

func TestPreviousSecretsMistakes(t *testing.T) {
	_, err := daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1:9000", SignSecret: "a",
		PreviousSecrets: []string{" ", "a", "b", "b", "\xff"}})
	for _, want := range []string{"[0] must not be empty", "[1] is SignSecret itself", "[3] is given twice",
		"[4] must be valid UTF-8"} {
		require.ErrorContains(t, err, "Config.PreviousSecrets"+want)
	}
	require.NotContains(t, err.Error(), "[2]")
	_, err = daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1:9000", SignSecret: "a", HTTPClient: http.DefaultClient,
		PreviousSecrets: []string{"b"}})
	require.NoError(t, err)
	_, err = (*daxpay.Client)(nil).SyncPay(context.Background(), nil)
	require.ErrorIs(t, err, daxpay.ErrConfig)
}

// After a change of the secret, messages signed with the old one are still accepted. The gateway refuses a client that
// still uses it.
func TestChangeOfTheSecret(t *testing.T) {
	ctx := context.Background()
	gw := daxpaytest.Start(t)
	gw.SetPayment(daxpaytest.Payment{OrderNo: "P1", BizOrderNo: "B1", Amount: 100, Status: model.PaySyncSuccess})
	before, err := gw.Notice("P1")
	require.NoError(t, err)
	old := client(t, gw, nil)
	gw.ChangeSecret("the new one")
	changed := client(t, gw, func(c *daxpay.Config) { c.PreviousSecrets = []string{daxpaytest.Secret} })

	_, err = old.SyncPay(ctx, &param.PaySyncParam{OrderNo: "P1"})
	var refusal *daxpay.GatewayError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, 20052, refusal.Code)
	require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)

	res, err := changed.SyncPay(ctx, &param.PaySyncParam{OrderNo: "P1"})
	require.NoError(t, err)
	require.Zero(t, res.SecretIndex)
	n, err := changed.ParseNotice(before)
	require.NoError(t, err)
	require.Equal(t, 1, n.(*model.PayNotice).SecretIndex)
}
