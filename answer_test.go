package daxpay_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

const (
	secret = "123456"
	now    = 1715500234
)

// sealed puts a signed data object into an answer. Members are those of data without its braces, sign and envelope.
func sealed(t testing.TB, members string) string {
	t.Helper()
	return envelope(signedObject(t, daxpay.HMACSHA256, members))
}

func signedObject(t testing.TB, signType daxpay.SignType, members string) string {
	t.Helper()
	signer, err := daxpay.NewSigner(signType, secret)
	require.NoError(t, err)
	sign, err := signer.Sign([]byte("{" + members + "}"))
	require.NoError(t, err)
	return "{" + members + `,"sign":"` + sign + `"}`
}

func envelope(data string) string {
	return `{"msg":"success","code":0,"data":` + data + `,"traceId":"T123"}`
}

// calls are the signed calls of the client, each about a fixed order.
var calls = map[string]func(kit *daxpay.Client) (any, error){
	"SyncPay": func(kit *daxpay.Client) (any, error) {
		return result(kit.SyncPay(context.Background(), &param.PaySyncParam{OrderNo: "P1", BizOrderNo: "B1"}))
	},
	"SyncRefund": func(kit *daxpay.Client) (any, error) {
		return result(kit.SyncRefund(context.Background(), &param.RefundSyncParam{RefundNo: "R1"}))
	},
	"SyncAlloc": func(kit *daxpay.Client) (any, error) {
		return result(kit.SyncAlloc(context.Background(), &param.AllocSyncParam{AllocNo: "A1"}))
	},
	"FinishAlloc": func(kit *daxpay.Client) (any, error) {
		return result(kit.FinishAlloc(context.Background(), &param.AllocFinishParam{AllocNo: "A1"}))
	},
}

// result keeps a nil *Result from hiding in an interface, and checks that there is exactly one of result and error.
func result[T any](res *daxpay.Result[T], err error) (any, error) {
	switch {
	case res == nil && err != nil:
		return nil, err
	case res != nil && err == nil:
		return res, nil
	}
	return nil, fmt.Errorf("neither or both of result and error: %v, %w", res, err)
}

const good = `"code":0,"msg":null,"resTime":1715500234,"status":"s"`

// hostile has bodies that no call may accept, with the error of each.
func hostile(t testing.TB) map[string]struct {
	body string
	want error
} {
	sign := func(members string) string { return sealed(t, members) }
	unsigned := func(members string) string { return envelope("{" + members + "}") }
	data := signedObject(t, daxpay.HMACSHA256, good)
	digest := data[strings.Index(data, `"sign":"`)+8 : len(data)-2]
	withSign := func(value string) string { return envelope("{" + good + `,"sign":` + value + "}") }
	deep := strings.Repeat("[", 100_000)

	return map[string]struct {
		body string
		want error
	}{
		"empty body":      {"", daxpay.ErrProtocol},
		"blanks":          {" \n", daxpay.ErrProtocol},
		"null":            {"null", daxpay.ErrProtocol},
		"list":            {"[]", daxpay.ErrProtocol},
		"string":          {`"success"`, daxpay.ErrProtocol},
		"empty object":    {"{}", daxpay.ErrProtocol},
		"html":            {"<html><body>hello</body></html>", daxpay.ErrProtocol},
		"xml":             {`<?xml version="1.0"?><code>0</code>`, daxpay.ErrProtocol},
		"byte order mark": {"\xef\xbb\xbf" + sign(good), daxpay.ErrProtocol},
		"cut off":         {sign(good)[:60], daxpay.ErrProtocol},
		"trailing bytes":  {sign(good) + "x", daxpay.ErrProtocol},
		"two documents":   {sign(good) + sign(good), daxpay.ErrProtocol},
		"trailing comma":  {`{"code":0,}`, daxpay.ErrProtocol},
		"single quotes":   {`{'code':0}`, daxpay.ErrProtocol},
		"comment":         {`{"code":0/*x*/}`, daxpay.ErrProtocol},
		"NaN":             {`{"code":NaN}`, daxpay.ErrProtocol},
		"leading zero":    {`{"code":00}`, daxpay.ErrProtocol},
		"plus":            {`{"code":+0}`, daxpay.ErrProtocol},
		"404 as JSON": {`{"timestamp":"2024-05-12","status":404,"error":"Not Found","path":"/x"}`,
			daxpay.ErrProtocol},
		"code null":            {`{"code":null,"data":` + data + `}`, daxpay.ErrProtocol},
		"code boolean":         {`{"code":false,"data":` + data + `}`, daxpay.ErrProtocol},
		"code fraction":        {`{"code":0.0,"data":` + data + `}`, daxpay.ErrProtocol},
		"code exponent":        {`{"code":0e0,"data":` + data + `}`, daxpay.ErrProtocol},
		"code minus zero":      {`{"code":-0,"data":` + data + `}`, daxpay.ErrProtocol},
		"code overflow":        {`{"code":92233720368547758080,"data":` + data + `}`, daxpay.ErrProtocol},
		"code empty string":    {`{"code":"","data":` + data + `}`, daxpay.ErrProtocol},
		"no data":              {`{"code":0,"msg":"success"}`, daxpay.ErrProtocol},
		"data null":            {envelope("null"), daxpay.ErrProtocol},
		"data list":            {envelope("[" + data + "]"), daxpay.ErrProtocol},
		"data as text":         {envelope(`"{}"`), daxpay.ErrProtocol},
		"data twice":           {`{"code":0,"data":` + data + `,"data":` + data + `}`, daxpay.ErrProtocol},
		"data under two cases": {`{"code":0,"data":` + data + `,"DATA":` + data + `}`, daxpay.ErrProtocol},
		"code twice":           {`{"code":1,"code":0,"data":` + data + `}`, daxpay.ErrProtocol},
		"deep":                 {deep, daxpay.ErrProtocol},
		"deep within data":     {envelope(`{"x":` + deep), daxpay.ErrProtocol},
		"33 levels": {envelope(`{"x":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + "}"),
			daxpay.ErrProtocol},
		"invalid UTF-8":               {envelope("{\"status\":\"a\xffb\"}"), daxpay.ErrProtocol},
		"overlong UTF-8":              {envelope("{\"status\":\"a\xc0\xafb\"}"), daxpay.ErrProtocol},
		"half a surrogate pair":       {envelope(`{"status":"\ud83d"}`), daxpay.ErrProtocol},
		"surrogates in wrong order":   {envelope(`{"status":"\ude00\ud83d"}`), daxpay.ErrProtocol},
		"control character":           {envelope("{\"status\":\"a\nb\"}"), daxpay.ErrProtocol},
		"bad escape":                  {envelope(`{"status":"\x41"}`), daxpay.ErrProtocol},
		"status twice":                {envelope(data[:len(data)-1] + `,"status":"t"}`), daxpay.ErrProtocol},
		"status twice, once escaped":  {envelope(data[:len(data)-1] + `,"\u0073tatus":"t"}`), daxpay.ErrProtocol},
		"status under another case":   {envelope(data[:len(data)-1] + `,"STATUS":"t"}`), daxpay.ErrProtocol},
		"status with a long s":        {envelope(`{"ſtatus":"t",` + data[1:]), daxpay.ErrProtocol},
		"twice deep inside":           {envelope(data[:len(data)-1] + `,"x":[{"a":{"b":1,"b":1}}]}`), daxpay.ErrProtocol},
		"sign absent":                 {unsigned(good), daxpay.ErrSignMissing},
		"sign null":                   {withSign("null"), daxpay.ErrSignMissing},
		"sign empty":                  {withSign(`""`), daxpay.ErrSignMissing},
		"sign number":                 {withSign("1"), daxpay.ErrSignMismatch},
		"sign list":                   {withSign(`["` + digest + `"]`), daxpay.ErrSignMismatch},
		"sign object":                 {withSign(`{"a":"` + digest + `"}`), daxpay.ErrSignMismatch},
		"sign true":                   {withSign("true"), daxpay.ErrSignMismatch},
		"sign short":                  {withSign(`"` + digest[:63] + `"`), daxpay.ErrSignMismatch},
		"sign long":                   {withSign(`"` + digest + `0"`), daxpay.ErrSignMismatch},
		"sign upper case":             {withSign(`"` + strings.ToUpper(digest) + `"`), daxpay.ErrSignMismatch},
		"sign with a blank":           {withSign(`" ` + digest + `"`), daxpay.ErrSignMismatch},
		"sign of the other algorithm": {envelope(signedObject(t, daxpay.MD5, good)), daxpay.ErrSignMismatch},
		"sign on the envelope":        {`{"code":0,"data":{` + good + `},"sign":"` + digest + `"}`, daxpay.ErrSignMissing},
		"status changed":              {strings.Replace(envelope(data), `"s"`, `"t"`, 1), daxpay.ErrSignMismatch},
		"status dropped":              {strings.Replace(envelope(data), `,"status":"s"`, "", 1), daxpay.ErrSignMismatch},
		"member added": {strings.Replace(envelope(data), `"code":0,"msg":null`, `"code":0,"msg":null,"x":1`,
			1), daxpay.ErrSignMismatch},
		"code of data changed": {strings.Replace(envelope(data), `{"code":0,"msg":null`, `{"code":1,"msg":null`, 1),
			daxpay.ErrSignMismatch},
		"signed without code":     {sign(`"resTime":1715500234,"status":"s"`), daxpay.ErrProtocol},
		"signed code null":        {sign(`"code":null,"resTime":1715500234,"status":"s"`), daxpay.ErrProtocol},
		"signed code fraction":    {sign(`"code":0.0,"resTime":1715500234,"status":"s"`), daxpay.ErrProtocol},
		"signed without resTime":  {sign(`"code":0,"status":"s"`), daxpay.ErrProtocol},
		"signed resTime null":     {sign(`"code":0,"resTime":null,"status":"s"`), daxpay.ErrProtocol},
		"signed resTime exponent": {sign(`"code":0,"resTime":1715500234e0,"status":"s"`), daxpay.ErrProtocol},
		"signed resTime text":     {sign(`"code":0,"resTime":"yesterday","status":"s"`), daxpay.ErrProtocol},
		"own request sent back": {sign(`"code":0,"resTime":1715500234,"reqTime":1715500234,"status":"s"`),
			daxpay.ErrProtocol},
		"too old":       {sign(`"code":0,"resTime":1715499933,"status":"s"`), daxpay.ErrStale},
		"too far ahead": {sign(`"code":0,"resTime":1715500535,"status":"s"`), daxpay.ErrStale},
		"time overflow": {sign(`"code":0,"resTime":9223372036854775807,"status":"s"`), daxpay.ErrStale},
		"NUL in the remark": {sign(`"code":0,"msg":"a\u0000b","resTime":1715500234,"status":"s"`),
			daxpay.ErrProtocol},
		"NUL in an unknown member": {sign(`"code":0,"resTime":1715500234,"status":"s","x":{"y":["\u0000"]}`),
			daxpay.ErrProtocol},
		"remark cut at a member":    {sign(`"code":0,"msg":"x&sign=&code=1","resTime":1715500234`), daxpay.ErrAmbiguous},
		"remark cut behind a quote": {sign(`"code":0,"msg":"x&co\"de=1","resTime":1715500234`), daxpay.ErrAmbiguous},
		"unknown member cut": {sign(`"code":0,"resTime":1715500234,"status":"s","x":"&resTime=1"`),
			daxpay.ErrAmbiguous},
		"nested text cut at a member": {sign(`"code":0,"resTime":1715500234,"status":"s","x":[{"y":"&code=1"}]`),
			daxpay.ErrAmbiguous},
		"nested text cut at a sibling": {sign(`"code":0,"resTime":1715500234,"status":"s","x":[{"y":"a,z:b","z":"c"}]`),
			daxpay.ErrAmbiguous},
		"member name with a cut": {sign(`"code":0,"resTime":1715500234,"status":"s","a&b":"c"`), daxpay.ErrAmbiguous},
	}
}

func TestHostileAnswers(t *testing.T) {
	bodies := hostile(t)
	require.GreaterOrEqual(t, len(bodies), 40)
	for name, h := range bodies {
		for call, do := range calls {
			t.Run(name+"/"+call, func(t *testing.T) {
				kit, transport := mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(h.body))
				_, err := do(kit)
				require.ErrorIs(t, err, h.want)
				require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
				require.Contains(t, err.Error(), "/unipay/")
				require.Equal(t, 1, transport.GetTotalCallCount(), "only a refusal may be tried in another encoding")
			})
		}
	}
}

// These answers have a valid signature and are refused because they do not fit the model.
func TestAnswersThatDoNotFitTheModel(t *testing.T) {
	for name, tt := range map[string]struct {
		members string
		want    error
	}{
		"status number":          {`"status":1`, daxpay.ErrProtocol},
		"status list":            {`"status":["s"]`, daxpay.ErrProtocol},
		"status with a quote":    {`"status":"pay_suc\"cess"`, daxpay.ErrAmbiguous},
		"status with backslash":  {`"status":"pay_suc\\cess"`, daxpay.ErrAmbiguous},
		"status with line break": {`"status":"pay\nsuccess"`, daxpay.ErrAmbiguous},
		"status with an and":     {`"status":"pay&success"`, daxpay.ErrAmbiguous},
		"status missing":         {`"x":1`, daxpay.ErrUnproved},
		"status null":            {`"status":null`, daxpay.ErrUnproved},
		"status empty":           {`"status":""`, daxpay.ErrUnproved},
		"other order":            {`"status":"s","orderNo":"P2"`, daxpay.ErrEcho},
		"other merchant order":   {`"status":"s","bizOrderNo":"B2"`, daxpay.ErrEcho},
		"order as a number":      {`"status":"s","orderNo":1`, daxpay.ErrEcho},
	} {
		t.Run(name, func(t *testing.T) {
			kit, _ := mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(sealed(t, `"code":0,"resTime":1715500234,`+tt.members)))
			_, err := calls["SyncPay"](kit)
			require.ErrorIs(t, err, tt.want)
			var refused *daxpay.AnswerError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, "T123", refused.TraceID)
			require.Equal(t, "/unipay/sync/pay", refused.Path)
			require.NotEmpty(t, refused.Member)
		})
	}
}

func TestAllocationEchoUnderEitherName(t *testing.T) {
	for _, name := range []string{"allocNo", "allocationNo"} {
		answer := func(number string) string {
			return sealed(t, `"code":0,"resTime":1715500234,"status":"finish","`+name+`":"`+number+`"`)
		}
		kit, _ := mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(answer("A1")))
		res, err := kit.FinishAlloc(context.Background(), &param.AllocFinishParam{AllocNo: "A1"})
		require.NoError(t, err)
		require.Equal(t, "A1", res.Data.AllocNo)
		require.Equal(t, model.AllocFinish, res.Data.Status)

		kit, _ = mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(answer("A2")))
		_, err = calls["FinishAlloc"](kit)
		require.ErrorIs(t, err, daxpay.ErrEcho)
	}
	both := sealed(t, `"code":0,"resTime":1715500234,"status":"finish","allocNo":"A1","allocationNo":"A1"`)
	kit, _ := mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(both))
	_, err := calls["FinishAlloc"](kit)
	require.ErrorIs(t, err, daxpay.ErrProtocol)
}

func TestResult(t *testing.T) {
	// Integers as strings, as on the documentation pages, and an unknown member, as from a newer gateway.
	data := signedObject(t, daxpay.HMACSHA256,
		`"code":"0","msg":"remark","resTime":"1715500234","status":"pay_new_status","bizOrderNo":"B1","new":{"b":[1,2.50],"A":null}`)
	kit, _ := mocked(t, daxpay.Config{Now: at(now)},
		jsonAnswer(`{"code":"0","msg":"success","data":`+data+`,"traceId":"T123","more":[]}`))
	res, err := kit.SyncPay(context.Background(), &param.PaySyncParam{BizOrderNo: "B1"})
	require.NoError(t, err)
	require.Equal(t, model.PaySyncStatus("pay_new_status"), res.Data.Status)
	require.Equal(t, "B1", res.Data.BizOrderNo)
	require.Equal(t, int64(now), res.Data.ResTime.Unix())
	require.Equal(t, "2024-05-12 15:50:34", res.Data.ResTime.Format(time.DateTime))
	require.Equal(t, "remark", res.Data.Msg)
	passedOn, err := json.Marshal(res.Data)
	require.NoError(t, err)
	require.NotContains(t, string(passedOn), "sign")
	require.Contains(t, string(res.Raw), `"sign"`)
	require.Equal(t, "remark", res.Msg)
	require.Equal(t, "T123", res.TraceID)
	require.True(t, res.Verified)
	require.Equal(t, data, string(res.Raw))

	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(t, err)
	require.NoError(t, signer.Verify(res.Raw))
}

func TestMaxAge(t *testing.T) {
	old := sealed(t, `"code":0,"resTime":1715499934,"status":"s"`)
	for _, tt := range []struct {
		age   time.Duration
		clock int64
		stale bool
	}{
		{0, now, false}, {0, now + 1, true}, {time.Minute, now, true}, {-1, now + 86400, false},
		{time.Hour, now - 3901, true},
	} {
		kit, _ := mocked(t, daxpay.Config{Now: at(tt.clock), MaxAge: tt.age}, jsonAnswer(old))
		_, err := calls["SyncPay"](kit)
		if tt.stale {
			require.ErrorIs(t, err, daxpay.ErrStale, "%+v", tt)
		} else {
			require.NoError(t, err, "%+v", tt)
		}
	}
}

func TestAllowAmbiguousText(t *testing.T) {
	body := sealed(t, `"code":0,"msg":"x&status=s","resTime":1715500234,"status":"s"`)
	kit, _ := mocked(t, daxpay.Config{Now: at(now), AllowAmbiguousText: true}, jsonAnswer(body))
	res, err := kit.SyncPay(context.Background(), &param.PaySyncParam{OrderNo: "P1"})
	require.NoError(t, err)
	require.Equal(t, "x&status=s", res.Msg)

	// Member names must still be unambiguous: this answer is about another order.
	body = strings.Replace(sealed(t, `"code":0,"resTime":1715500234,"status":"finish","allocNo":"A2"`), `"allocNo"`,
		`"alloc\"No"`, 1)
	kit, _ = mocked(t, daxpay.Config{Now: at(now), AllowAmbiguousText: true}, jsonAnswer(body))
	_, err = calls["FinishAlloc"](kit)
	require.ErrorIs(t, err, daxpay.ErrAmbiguous)

	// So must codes.
	body = sealed(t, `"code":0,"resTime":1715500234,"status":"a\"b"`)
	kit, _ = mocked(t, daxpay.Config{Now: at(now), AllowAmbiguousText: true}, jsonAnswer(body))
	_, err = calls["SyncPay"](kit)
	require.ErrorIs(t, err, daxpay.ErrAmbiguous)
}

func TestHTTPFaults(t *testing.T) {
	good := sealed(t, good)
	for name, tt := range map[string]struct {
		handler     http.HandlerFunc
		status      int
		contentType string
		text        string
	}{
		"502 page": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("<html>secret page</html>"))
		}, 502, "text/html", "HTTP status 502, text/html"},
		"500 with a good answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(good))
		}, 500, "text/plain; charset=utf-8", "T123"},
		"201 with a good answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(good))
		}, 201, "text/plain; charset=utf-8", "T123"},
		"404": {http.NotFound, 404, "text/plain; charset=utf-8",
			"/unipay/sync/pay: check the path prefix in ServiceURL, and pin Gateway"},
		"page with 200": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<html>secret page</html>"))
		}, 200, "text/html; charset=utf-8", "invalid JSON at byte 0"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret, Now: at(now), Retry: once})
			require.NoError(t, err)
			_, err = calls["SyncPay"](kit)
			require.ErrorIs(t, err, daxpay.ErrProtocol)
			require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
			var httpError *daxpay.HTTPError
			require.ErrorAs(t, err, &httpError)
			require.Equal(t, tt.status, httpError.StatusCode)
			require.Equal(t, tt.contentType, httpError.ContentType)
			require.Equal(t, "/unipay/sync/pay", httpError.Path)
			require.Contains(t, err.Error(), tt.text)
			require.NotContains(t, err.Error(), "secret page")
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		followed := 0
		target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed++ }))
		source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, target.URL, status)
		}))
		// The caller's client would follow it.
		kit, err := daxpay.New(daxpay.Config{ServiceURL: source.URL, SignSecret: secret, HTTPClient: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return nil },
		}})
		require.NoError(t, err)
		_, err = calls["SyncPay"](kit)
		var httpError *daxpay.HTTPError
		require.ErrorAs(t, err, &httpError)
		require.Equal(t, status, httpError.StatusCode)
		require.Contains(t, err.Error(), "redirects are not followed")
		require.Zero(t, followed)
		source.Close()
		target.Close()
	}
}

func TestAnswerSize(t *testing.T) {
	var bomb bytes.Buffer
	packer := gzip.NewWriter(&bomb)
	_, err := packer.Write(make([]byte, 64<<20))
	require.NoError(t, err)
	require.NoError(t, packer.Close())

	fitting := sealed(t, good)
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		limit   int64
		tooBig  bool
	}{
		"64 MiB of zeros": {func(w http.ResponseWriter, _ *http.Request) {
			zeros := make([]byte, 1<<20)
			for range 64 {
				if _, err := w.Write(zeros); err != nil {
					return
				}
			}
		}, 0, true},
		"64 MiB compressed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		}, 0, true},
		"announced": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(fitting))
		}, int64(len(fitting)) - 1, true},
		"not announced": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(fitting))
			_ = http.NewResponseController(w).Flush()
		}, int64(len(fitting)) - 1, true},
		"just fits": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(fitting))
			_ = http.NewResponseController(w).Flush()
		}, int64(len(fitting)), false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret, Now: at(now),
				MaxAnswerSize: tt.limit})
			require.NoError(t, err)
			_, err = calls["SyncPay"](kit)
			if !tt.tooBig {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, daxpay.ErrTooLarge)
			require.Contains(t, err.Error(), "Config.MaxAnswerSize")
		})
	}
}

func TestRefusalsBeforeTheBusiness(t *testing.T) {
	long := strings.Repeat("长", 300)
	for _, tt := range []struct {
		code    int
		msg     string
		unknown bool
	}{
		{20052, "验签失败", false},
		{20000, "未通过签名验证", false},
		{20000, "其他", true},
		{10005, "参数解析失败", false},
		{10006, "请求时间已过期", false},
		{20051, "参数校验未通过", false},
		{10001, long, true},
		{10007, "重复操作", false},
		{10008, "数据不存在或者已过期", true},
		{10006, "验证参数错误\n未获取到签名方式，请检查", true},
		{10010, "支付订单不存在", false},
		{20023, "该接口权限未开放", false},
		{20060, "支付金额超过限额", true},
	} {
		for call, do := range calls {
			body := fmt.Sprintf(`{"code":%d,"msg":%q,"data":null,"traceId":"T123"}`, tt.code, tt.msg)
			kit, _ := mocked(t, daxpay.Config{Gateway: daxpay.GatewayV208}, jsonAnswer(body))
			_, err := do(kit)
			var refusal *daxpay.GatewayError
			require.ErrorAs(t, err, &refusal, call)
			require.Equal(t, tt.code, refusal.Code)
			require.Equal(t, "T123", refusal.TraceID)
			require.LessOrEqual(t, len([]rune(refusal.Msg)), 256)
			require.False(t, refusal.Business)
			require.False(t, refusal.Signed)
			if tt.unknown {
				require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown, "%d %s", tt.code, call)
			} else {
				require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown, "%d %s", tt.code, call)
			}
		}
	}
}

func TestBusinessRefusalCountsOnlySigned(t *testing.T) {
	members := `"code":1,"msg":"支付订单不存在","resTime":1715500234`
	kit, _ := mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(sealed(t, members)))
	_, err := calls["SyncPay"](kit)
	requireBusinessError(t, err, "支付订单不存在", "T123")

	kit, _ = mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(envelope("{"+members+"}")))
	_, err = calls["SyncPay"](kit)
	require.ErrorIs(t, err, daxpay.ErrSignMissing)
	var refusal *daxpay.GatewayError
	require.NotErrorAs(t, err, &refusal)
}

// unknownPath is what a gateway 2.0.x answers, with HTTP status 500, at a path that it does not have.
const unknownPath = `{"timestamp":"2026-11-28T06:00:00.000+00:00","status":500,"error":"Internal Server Error","path":"/api/unipay/sync/pay"}`

// A gateway 2.0.x answers HTTP 500 with JSON at a path that it does not have.
func TestUnknownPath(t *testing.T) {
	page := func(status int, body string) httpmock.Responder {
		return httpmock.NewStringResponder(status, body).HeaderSet(http.Header{"Content-Type": {"application/json"}})
	}
	for name, tt := range map[string]struct {
		status  int
		body    string
		gateway daxpay.GatewayVersion
		unknown bool
		hint    string
	}{
		"2.0.8": {500, unknownPath, daxpay.GatewayV208, true,
			"check the path prefix in ServiceURL, and whether Gateway is the right version"},
		"auto": {500, unknownPath, daxpay.GatewayAuto, true,
			"check the path prefix in ServiceURL, and pin Gateway if the gateway is 2.0.6 or older"},
		"404":         {404, "<html>", daxpay.GatewayV208, true, "there is no http://127.0.0.1:9000/unipay/"},
		"another 500": {500, `{"error":"x","path":"/y"}`, daxpay.GatewayV208, false, "HTTP status 500"},
		"500 and code": {500, `{"timestamp":"x","status":500,"error":"x","path":"/y","code":1}`, daxpay.GatewayV208, false,
			"HTTP status 500"},
		"500 in HTML": {500, "<html>", daxpay.GatewayV208, false, "HTTP status 500"},
		"502":         {502, unknownPath, daxpay.GatewayV208, false, "HTTP status 502"},
	} {
		for call, do := range calls {
			kit, transport := mocked(t, daxpay.Config{Gateway: tt.gateway, Retry: daxpay.Retry{MaxAttempts: 3, BaseDelay: 1}},
				page(tt.status, tt.body))
			_, err := do(kit)
			var refused *daxpay.HTTPError
			require.ErrorAs(t, err, &refused, "%s %s", name, call)
			require.Equal(t, tt.unknown, refused.UnknownPath, name)
			require.ErrorContains(t, err, tt.hint)
			if tt.unknown {
				require.Equal(t, 1, transport.GetTotalCallCount(), "%s %s", name, call)
			}
		}
	}
}
