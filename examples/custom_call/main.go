// Custom_call makes a call that a merchant has added to the gateway. All it needs is two types: a param and a model.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// RiskParam asks how risky an order is.
type RiskParam struct {
	param.Common
	BizOrderNo string `json:"bizOrderNo" daxpay:"no,required,max=100"` // no: an answer about another order is refused
	Amount     int64  `json:"amount" daxpay:"required,min=1"`          // fen
	Remark     string `json:"remark" daxpay:"text,max=50"`             // text: free text
}

// Call implements param.Request.
func (*RiskParam) Call() param.Call[RiskModel] {
	return param.Call[RiskModel]{Path: "/unipay/ext/risk", Effect: param.EffectReadOnly}
}

// RiskModel is the answer.
type RiskModel struct {
	model.Common
	BizOrderNo string `json:"bizOrderNo"`
	Level      string `json:"level" daxpay:"proof"` // proof: an answer without it does not prove success
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	const secret = "123456"
	server := httptest.NewServer(gateway(secret)) // stands for a gateway with that call
	defer server.Close()

	kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret})
	if err != nil {
		return err
	}
	res, err := daxpay.Execute(context.Background(), kit, &RiskParam{BizOrderNo: "ORDER-1", Amount: 100, Remark: "首单"})
	if err != nil {
		return err
	}
	fmt.Printf("%s: the risk is %s\n", res.Data.BizOrderNo, res.Data.Level)

	_, err = daxpay.Execute(context.Background(), kit, &RiskParam{Remark: "no number, no amount"})
	fmt.Printf("refused before it is sent:\n%v\n", err)
	return nil
}

// gateway checks the signature of the request and signs the answer.
func gateway(secret string) http.Handler {
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	if err != nil {
		log.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if err := signer.Verify(body); err != nil {
			fmt.Fprint(w, `{"code":20052,"msg":"验签失败"}`)
			return
		}
		members := fmt.Sprintf(`"code":0,"msg":null,"resTime":%d,"bizOrderNo":"ORDER-1","level":"low"`, time.Now().Unix())
		sign, err := signer.Sign([]byte("{" + members + "}"))
		if err != nil {
			log.Print(err)
			return
		}
		fmt.Fprintf(w, `{"code":0,"msg":"success","data":{%s,"sign":%q},"traceId":"T1"}`, members, sign)
	})
}
