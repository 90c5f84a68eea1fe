// Command shop is a shop to click through a payment with: start "daxpay serve", then the shop, open it, and buy.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/cmd/daxpay/internal/shop"
)

const usage = `usage: shop
It takes no arguments but these variables of the environment:
  DAXPAY_URL     service URL of the gateway (default http://127.0.0.1:9000)
  DAXPAY_SECRET  its secret (default 123456)
  SHOP_ADDR      address to listen on (default 127.0.0.1:8080)
`

func main() {
	if len(os.Args) > 1 {
		fmt.Fprintf(os.Stderr, "shop: unknown argument %q\n%s", os.Args[1], usage)
		os.Exit(2)
	}
	setting := func(name, otherwise string) string {
		if v := os.Getenv(name); v != "" {
			return v
		}
		return otherwise
	}
	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: setting("DAXPAY_URL", "http://127.0.0.1:9000"), SignSecret: setting("DAXPAY_SECRET", "123456"),
	})
	if err != nil {
		log.Fatal(err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", setting("SHOP_ADDR", "127.0.0.1:8080"))
	if err != nil {
		log.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	log.Print("the shop is open: ", url)
	server := &http.Server{Handler: &shop.Shop{Kit: kit, URL: url}, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.Serve(listener))
}
