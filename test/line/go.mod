module github.com/daxpay-go/daxpay/test/line

go 1.26.0

replace (
	github.com/daxpay-go/daxpay => ../..
	github.com/daxpay-go/daxpay/contrib/redisstore => ../../contrib/redisstore
	github.com/daxpay-go/daxpay/contrib/sqlstore => ../../contrib/sqlstore
)

require (
	github.com/daxpay-go/daxpay v0.0.0
	github.com/daxpay-go/daxpay/contrib/redisstore v0.0.0
	github.com/daxpay-go/daxpay/contrib/sqlstore v0.0.0
	github.com/hashicorp/go-retryablehttp v0.7.8
	github.com/jackc/pgx/v5 v5.13.0
	github.com/redis/go-redis/v9 v9.17.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/dgryski/go-rendezvous v0.0.0-20200823014737-9f7001d12a5f // indirect
	github.com/go-resty/resty/v2 v2.17.2 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/net v0.43.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
