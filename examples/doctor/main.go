// Doctor finds what is wrong with the connection to a gateway: URL, path prefix, secret, algorithm, clock or version.
// It reads DAXPAY_URL, DAXPAY_SECRET and the other variables of daxpay.ConfigFromEnv. It changes nothing at the
// gateway, and exits with status 1 if it finds a fault. Without DAXPAY_URL it examines a gateway inside the program,
// once with a wrong secret and once with the right one.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	if os.Getenv("DAXPAY_URL") != "" {
		config, err := daxpay.ConfigFromEnv()
		if err != nil {
			return err
		}
		return look(config)
	}
	gw := daxpaytest.New()
	defer gw.Close()
	fmt.Println("With a wrong secret:")
	config := daxpay.Config{ServiceURL: gw.URL(), SignSecret: "a wrong secret"}
	if err := look(config); err == nil {
		return errors.New("the wrong secret was not found")
	}
	fmt.Println("With the right secret:")
	config.SignSecret = daxpaytest.Secret
	return look(config)
}

func look(config daxpay.Config) error {
	kit, err := daxpay.New(config)
	if err != nil {
		return err
	}
	report := kit.Doctor(context.Background())
	fmt.Println(report)
	if !report.Healthy() {
		return errors.New("there is a fault: see above")
	}
	return nil
}
