package daxpay_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// once switches retries off.
var once = daxpay.Retry{MaxAttempts: 1}

// mocked is a client whose requests are answered by respond. It does not retry unless config says so.
func mocked(t testing.TB, config daxpay.Config, respond httpmock.Responder) (*daxpay.Client, *httpmock.MockTransport) {
	t.Helper()
	transport := httpmock.NewMockTransport()
	transport.RegisterNoResponder(respond)
	if config.ServiceURL == "" {
		config.ServiceURL = "http://127.0.0.1:9000"
	}
	if config.SignSecret == "" {
		config.SignSecret = "123456"
	}
	if config.Retry.MaxAttempts == 0 {
		config.Retry = once
	}
	config.HTTPClient = &http.Client{Transport: transport}
	kit, err := daxpay.New(config)
	require.NoError(t, err)
	return kit, transport
}

func jsonAnswer(body string) httpmock.Responder {
	return httpmock.NewStringResponder(http.StatusOK, body).HeaderSet(http.Header{"Content-Type": {"application/json"}})
}

// seedCalls are the calls that produce the samples of the three seed pages.
var seedCalls = map[string]func(ctx context.Context, kit *daxpay.Client) (any, error){
	"000_26dc57f6bb02cf8c.txt": func(ctx context.Context, kit *daxpay.Client) (any, error) {
		res, err := kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "SDK_1715341621498"})
		if err != nil {
			return nil, err
		}
		return res.Data.Status, nil
	},
	"001_8854f362995e55c2.txt": func(ctx context.Context, kit *daxpay.Client) (any, error) {
		res, err := kit.SyncRefund(ctx, &param.RefundSyncParam{
			Common: param.Common{ClientIP: "127.0.0.1"}, RefundNo: "DEVR24051020531763000004",
		})
		if err != nil {
			return nil, err
		}
		return res.Data.Status, nil
	},
	"003_ebc68fd68b75bea1.txt": func(ctx context.Context, kit *daxpay.Client) (any, error) {
		res, err := kit.FinishAlloc(ctx, &param.AllocFinishParam{AllocNo: "DEVA24060117191963000003"})
		if err != nil {
			return nil, err
		}
		return res.Data.Status, nil
	},
}

func TestRequestsMatchTheSeedPages(t *testing.T) {
	sent := 0
	for _, v := range readVectors(t, "seed-pages.jsonl") {
		if v.Kind != "request" {
			continue
		}
		sent++
		t.Run(v.Page, func(t *testing.T) {
			var printed map[string]any
			require.NoError(t, json.Unmarshal([]byte(v.Body), &printed))
			reqTime, ok := printed["reqTime"].(float64)
			require.True(t, ok)

			var body []byte
			var header http.Header
			kit, _ := mocked(t, daxpay.Config{Gateway: daxpay.GatewayV207, Now: at(int64(reqTime))},
				func(r *http.Request) (*http.Response, error) {
					header = r.Header
					body, _ = io.ReadAll(r.Body)
					return nil, io.ErrUnexpectedEOF
				})
			_, err := seedCalls[v.Page](context.Background(), kit)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.JSONEq(t, v.Body, string(body))
			require.Equal(t, "application/json", header.Get("Content-Type"))
			require.Empty(t, header.Get("Idempotency-Key"))
		})
	}
	require.Equal(t, 3, sent)
}

func TestSeedPageAnswers(t *testing.T) {
	authentic := map[string]func(t *testing.T, got any, err error){
		"支付订单不存在": func(t *testing.T, _ any, err error) {
			requireBusinessError(t, err, "支付订单不存在", "uYFsaueHRcXa")
		},
		"分账单状态错误": func(t *testing.T, _ any, err error) {
			requireBusinessError(t, err, "分账单状态错误", "Sv7Yghr2m013")
		},
		"pay_not_found": func(t *testing.T, got any, err error) {
			require.NoError(t, err)
			require.Equal(t, model.RefundSyncNotFound, got)
		},
	}
	edited, genuine := 0, 0
	for _, v := range readVectors(t, "seed-pages.jsonl") {
		if v.Kind != "response" {
			continue
		}
		var printed struct {
			Data struct {
				ResTime int64
			}
			TraceID string
		}
		require.NoError(t, json.Unmarshal([]byte(v.Body), &printed))
		kit, _ := mocked(t, daxpay.Config{Gateway: daxpay.GatewayV207, Now: at(printed.Data.ResTime)}, jsonAnswer(v.Body))
		got, err := seedCalls[v.Page](context.Background(), kit)
		if !*v.Verifies {
			edited++
			require.ErrorIs(t, err, daxpay.ErrSignMismatch)
			require.Contains(t, err.Error(), printed.TraceID)
			require.Contains(t, err.Error(), "/unipay/")
			continue
		}
		genuine++
		for mark, check := range authentic {
			if strings.Contains(v.Body, mark) {
				check(t, got, err)
			}
		}
	}
	require.Equal(t, 3, edited)
	require.Equal(t, 3, genuine)
}

// The vectors' README says what the three edited samples said when they were signed.
func TestEditedSamplesVerifyAsTheyWereSigned(t *testing.T) {
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, "123456")
	require.NoError(t, err)
	edits := strings.NewReplacer(
		`"pay_success"`, `"pay_not_found"`,
		`"当前订单不存在"`, `"当前订单状态[退款中]不允许发起退款操作"`,
		`"finish"`, `"allocation_processing"`,
	)
	edited := 0
	for _, v := range readVectors(t, "seed-pages.jsonl") {
		if *v.Verifies {
			continue
		}
		edited++
		printed := v.signed(t)
		require.ErrorIs(t, signer.Verify(printed), daxpay.ErrSignMismatch)
		require.NoError(t, signer.Verify([]byte(edits.Replace(string(printed)))), v.Page)
	}
	require.Equal(t, 3, edited)
}

func requireBusinessError(t *testing.T, err error, msg, traceID string) {
	t.Helper()
	var refusal *daxpay.GatewayError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, 1, refusal.Code)
	require.Equal(t, msg, refusal.Msg)
	require.Equal(t, traceID, refusal.TraceID)
	require.True(t, refusal.Business)
	require.True(t, refusal.Signed)
	require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
}

// recordBody keeps the body of the latest request.
func recordBody(body *[]byte, answer string) httpmock.Responder {
	return func(r *http.Request) (*http.Response, error) {
		*body, _ = io.ReadAll(r.Body)
		return jsonAnswer(answer)(r)
	}
}
