// Config_yaml reads the settings of the gateway from the shop's own YAML file, and the secret from the environment
// (DAXPAY_SECRET). It prints the settings with the secret masked, and asks a gateway inside the program for a payment.
// A misspelt setting in the file is an error.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/param"
)

//go:embed shop.yaml
var file []byte // a shop calls os.ReadFile

// settings are the settings of the shop.
type settings struct {
	Listen string        `yaml:"listen"`
	Daxpay daxpay.Config `yaml:"daxpay"`
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	s, err := read(file)
	if err != nil {
		return err
	}
	s.Daxpay.SignSecret = os.Getenv("DAXPAY_SECRET")

	gw := daxpaytest.New() // stands for the gateway of the file
	defer gw.Close()
	s.Daxpay.ServiceURL, s.Daxpay.SignSecret = gw.URL(), daxpaytest.Secret

	kit, err := daxpay.New(s.Daxpay)
	if err != nil {
		return err // it names every mistake
	}
	printed, err := yaml.Marshal(s)
	if err != nil {
		return err
	}
	fmt.Printf("%s", printed)

	_, err = kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "A1"})
	if !errors.Is(err, daxpay.ErrNoSuchOrder) {
		return fmt.Errorf("instead of ErrNoSuchOrder: %w", err)
	}
	fmt.Println("the gateway answers: it has no payment A1")
	return nil
}

func read(text []byte) (settings, error) {
	var s settings
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(&s)
	return s, err
}
