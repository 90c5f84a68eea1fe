package daxpay

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// ConfigFromEnv returns a Config from environment variables. DAXPAY_URL (ServiceURL) and DAXPAY_SECRET (SignSecret) are
// required. The env tags of Config and Retry name the other variables, such as DAXPAY_SIGN_TYPE, DAXPAY_GATEWAY,
// DAXPAY_CLIENT_IP, DAXPAY_TIMEOUT and DAXPAY_RETRY_MAX_ATTEMPTS. Durations are written as "5s". The secrets in
// DAXPAY_PREVIOUS_SECRETS are separated by commas. An empty variable counts as not set. Fields without a variable, such
// as Logger and OnceStore, are set in Go, in the Config that is returned.
//
// The error holds a *ConfigError for every mistake, including those that New would find. Each names its variable in
// Setting, and none quotes a secret.
func ConfigFromEnv() (Config, error) {
	r := envReader{variables: map[string]string{}}
	var cfg Config
	r.read(reflect.ValueOf(&cfg).Elem(), "")
	unread := slices.Clone(r.configFaults)
	_, err := cfg.withDefaults()
	for _, fault := range configErrors(err) {
		field, index, _ := strings.Cut(fault.Field, "[") // such as PreviousSecrets[1]
		if unread.of(field) {
			continue // it is missing because it could not be read
		}
		setting := r.variables[field]
		if index != "" {
			setting += "[" + index
		}
		r.add(fault.Field, setting, fault.Reason)
	}
	if err := r.err(); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

type envReader struct {
	variables map[string]string // by the Go name of the field
	configFaults
}

func (r *envReader) read(into reflect.Value, prefix string) {
	for i := range into.NumField() {
		f := into.Type().Field(i)
		name := f.Tag.Get("env")
		if name == "" {
			if f.Type.Kind() == reflect.Struct {
				r.read(into.Field(i), prefix+f.Name+".")
			}
			continue
		}
		r.variables[prefix+f.Name] = name
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		if reason := setFromEnv(into.Field(i), text); reason != "" {
			r.add(prefix+f.Name, name, reason)
		}
	}
}

const mustHaveNoQuotes = "has quotes around it, which would become part of the value: remove them"

// quoted reports whether text is in quotes. A shell removes them, docker --env-file does not.
func quoted(text string) bool {
	return len(text) > 1 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0]
}

// setFromEnv sets one field. It returns what is wrong with the text, "" if nothing is.
func setFromEnv(field reflect.Value, text string) string {
	if quoted(text) {
		return mustHaveNoQuotes
	}
	switch field.Interface().(type) {
	case []string:
		texts := strings.Split(text, ",")
		if slices.ContainsFunc(texts, quoted) {
			return mustHaveNoQuotes
		}
		field.Set(reflect.ValueOf(texts))
	case bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return mustBeBool
		}
		field.SetBool(b)
	case int, int64:
		n, err := strconv.ParseInt(text, 10, field.Type().Bits())
		if err != nil {
			return mustBeInteger
		}
		field.SetInt(n)
	default:
		return setFromText(field, text)
	}
	return ""
}

// configErrors returns the *ConfigErrors that are joined in err.
func configErrors(err error) []*ConfigError {
	var one *ConfigError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*ConfigError
		for _, err := range joined.Unwrap() {
			all = append(all, configErrors(err)...)
		}
		return all
	}
	if errors.As(err, &one) {
		return []*ConfigError{one}
	}
	return nil
}
