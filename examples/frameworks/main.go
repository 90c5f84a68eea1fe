// Frameworks mounts the handler of notices (异步通知) in gin and in echo. Keep middleware that reads the body or changes
// the reply away from its route.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
)

// ginRouter mounts the handler in gin.
func ginRouter(notices http.Handler) http.Handler {
	router := gin.New()
	router.Use(gin.Recovery())
	router.POST("/notify", gin.WrapH(notices))
	return router
}

// echoRouter mounts the handler in echo.
func echoRouter(notices http.Handler) http.Handler {
	e := echo.New()
	e.Use(middleware.Recover())
	e.POST("/notify", echo.WrapHandler(notices))
	return e
}

var frameworks = map[string]func(http.Handler) http.Handler{"gin": ginRouter, "echo": echoRouter}

func main() {
	gin.SetMode(gin.ReleaseMode)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	gw := daxpaytest.New() // stands for your gateway
	defer gw.Close()
	kit := gw.Client() // for your gateway: daxpay.ConfigFromEnv and daxpay.New

	amounts := map[string]int64{"ORDER-gin": 29900, "ORDER-echo": 1200} // stands for the shop's database, in fen
	handler := kit.NoticeHandler(daxpay.NoticeHandlers{
		Pay: func(_ context.Context, n *model.PayNotice) error {
			err := daxpay.Expect{BizOrderNo: n.BizOrderNo, Amount: amounts[n.BizOrderNo], Paid: true}.Check(n)
			switch {
			case errors.Is(err, daxpay.ErrUnproved):
				return nil // closed or cancelled: it can still be paid
			case err != nil:
				return err // not our order, or another amount
			}
			fmt.Println(n.BizOrderNo, "is paid") // a shop stores that before it returns
			return nil
		},
	})
	for name, mount := range frameworks {
		shop := httptest.NewServer(mount(handler)) // stands for your http.Server
		number := "ORDER-" + name
		gw.SetPayment(daxpaytest.Payment{
			BizOrderNo: number, Amount: amounts[number], Status: model.PaySyncSuccess, NotifyURL: shop.URL + "/notify",
		})
		sent, err := gw.SendNotice(context.Background(), number)
		shop.Close()
		if err != nil {
			return err
		}
		fmt.Printf("%s: replied %d %s\n", number, sent.Status, sent.Reply)
		if !sent.Received {
			return errors.New("the notice was not received")
		}
	}
	return nil
}
