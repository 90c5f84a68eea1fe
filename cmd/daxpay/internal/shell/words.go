package shell

import (
	"errors"
	"reflect"
	"regexp"
	"strings"

	"github.com/daxpay-go/daxpay"
)

// inWords says a text of the SDK in the words of the command: variables for the fields of Config.
func inWords(text string) string {
	text = strings.ReplaceAll(text, "before ForgetTransfer or ForgetOnce", "before it is sent with another --sent-file")
	text = versionConstant.ReplaceAllString(text, "2.0.$1")
	return fieldNames.ReplaceAllStringFunc(text, func(match string) string {
		before := ""
		if c := match[0]; c < 'A' || c > 'Z' {
			before, match = match[:1], match[1:]
		}
		return before + fieldVariables[strings.TrimPrefix(match, "Config.")]
	})
}

var (
	versionConstant = regexp.MustCompile(`\bGatewayV20(\d)\b`)
	fieldVariables  = variables(reflect.TypeFor[daxpay.Config](), "")
	// fieldNames finds the fields of Config, but not those of something else, such as Client.Timeout.
	fieldNames = func() *regexp.Regexp {
		var names []string
		for name := range fieldVariables {
			names = append(names, regexp.QuoteMeta(name))
		}
		return regexp.MustCompile(`(^|[^.\w-])(Config\.)?(` + strings.Join(names, "|") + `)\b`)
	}()
)

// variables are those of the environment, by the field.
func variables(t reflect.Type, prefix string) map[string]string {
	all := map[string]string{}
	for i := range t.NumField() {
		f := t.Field(i)
		if variable := f.Tag.Get("env"); variable != "" {
			all[prefix+f.Name] = variable
		} else if f.Type.Kind() == reflect.Struct {
			for name, variable := range variables(f.Type, f.Name+".") {
				all[name] = variable
			}
		}
	}
	return all
}

// errorText is the text of an error, with the likely cause of a wrong signature.
func errorText(err error) string {
	text := err.Error()
	var sign *daxpay.SignError
	if errors.As(err, &sign) {
		_, cause, _ := strings.Cut(sign.Explain(), "cause:     ")
		text = strings.ReplaceAll(text, "SignError.Explain shows what was compared",
			"likely cause: "+strings.TrimSpace(cause))
	}
	return inWords(text)
}
