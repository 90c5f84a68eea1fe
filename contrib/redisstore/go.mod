module github.com/daxpay-go/daxpay/contrib/redisstore

go 1.23.0

require (
	github.com/daxpay-go/daxpay v0.0.0-20261128090841-78193716b2c4
	github.com/redis/go-redis/v9 v9.17.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/dgryski/go-rendezvous v0.0.0-20200823014737-9f7001d12a5f // indirect
	github.com/go-resty/resty/v2 v2.17.2 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/net v0.43.0 // indirect
)
