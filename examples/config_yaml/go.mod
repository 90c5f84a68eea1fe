module github.com/daxpay-go/daxpay/examples/config_yaml

go 1.23.0

require (
	github.com/daxpay-go/daxpay v0.0.0
	github.com/goccy/go-yaml v1.19.2
	github.com/stretchr/testify v1.12.1
	go.yaml.in/yaml/v3 v3.0.5
)

require (
	github.com/go-resty/resty/v2 v2.17.2 // indirect
	golang.org/x/net v0.43.0 // indirect
)

replace github.com/daxpay-go/daxpay => ../..
