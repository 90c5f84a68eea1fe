// Frameworks mounts the handler of notices (回调通知) in gin and in echo.
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

// routerOf is gin's: gin.WrapH makes a handler of gin of the notice handler.
func routerOf(notices http.Handler) http.Handler {
	router := gin.New()
	router.Use(gin.Recovery())
	router.POST("/notify", gin.WrapH(notices))
	return router
}

// echoOf is echo's. Middleware that reads the body or changes the reply stays away from the route.
func echoOf(notices http.Handler) http.Handler {
	e := echo.New()
	e.Use(middleware.Recover())
	e.POST("/notify", echo.WrapHandler(notices))
	return e
}

// frameworks are the ways to mount a handler.
var frameworks = map[string]func(http.Handler) http.Handler{"gin": routerOf, "echo": echoOf}

func main() {
	gin.SetMode(gin.ReleaseMode)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	gw := daxpaytest.New() // stands for your gateway
	defer gw.Close()
	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),          // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret, // 签名秘钥 in the gateway's console
	})
	if err != nil {
		return err
	}
	handler := kit.NoticeHandler(daxpay.NoticeHandlers{
		Pay: func(_ context.Context, n *model.PayNotice) error {
			// Compare the notice with your own order, and store what it says before you return nil.
			err := daxpay.Expect{BizOrderNo: n.BizOrderNo, Amount: 29900, Paid: true}.Check(n)
			if errors.Is(err, daxpay.ErrUnproved) {
				return nil // closed or cancelled: it still can be paid
			}
			if err != nil {
				return err
			}
			fmt.Println(n.BizOrderNo, "is paid")
			return nil
		},
	})
	for name, mount := range frameworks {
		shop := httptest.NewServer(mount(handler)) // router.Run or e.Start in a real shop
		order := "ORDER-" + name
		gw.SetPayment(daxpaytest.Payment{
			BizOrderNo: order, Amount: 29900, Status: model.PaySyncSuccess, NotifyURL: shop.URL + "/notify",
		})
		sent, err := gw.SendNotice(context.Background(), order)
		shop.Close()
		if err != nil {
			return err
		}
		fmt.Printf("%s replied %d %s\n", name, sent.Status, sent.Reply)
		if !sent.Received {
			return errors.New("the notice was not received")
		}
	}
	return nil
}
