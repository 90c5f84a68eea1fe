package daxpayotel_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/daxpay-go/daxpay"
	daxpayotel "github.com/daxpay-go/daxpay/contrib/otel"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// A payment is synchronized, and the gateway sends a notice about it. A shop exports the spans that this example keeps
// in memory. A program that calls otel.SetTracerProvider and otel.SetMeterProvider needs no Options.
func Example() {
	spans := tracetest.NewInMemoryExporter()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	telemetry, err := daxpayotel.New(daxpayotel.Options{TracerProvider: traces,
		MeterProvider: sdkmetric.NewMeterProvider()})
	if err != nil {
		panic(err)
	}

	gw := daxpaytest.New()
	defer gw.Close()
	config := gw.Config() // of your gateway: daxpay.ConfigFromEnv
	config.Observer = telemetry
	kit, err := daxpay.New(config)
	if err != nil {
		panic(err)
	}
	shop := httptest.NewServer(kit.NoticeHandler(telemetry.NoticeHandlers(daxpay.NoticeHandlers{
		Pay: func(_ context.Context, n *model.PayNotice) error {
			return daxpay.Expect{BizOrderNo: "A1", Amount: 100, Paid: true}.Check(n)
		},
	})))
	defer shop.Close()

	ctx := context.Background()
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "A1", Amount: 100, Status: model.PaySyncSuccess, NotifyURL: shop.URL})
	if _, err := kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "A1"}); err != nil {
		panic(err)
	}
	if sent, err := gw.SendNotice(ctx, "A1"); !sent.Received || err != nil {
		panic("not received")
	}
	for _, s := range spans.GetSpans() {
		fmt.Println(s.SpanKind, s.Name)
	}
	// Output:
	// client POST
	// internal daxpay PaySync
	// consumer process pay
}
