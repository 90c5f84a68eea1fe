package daxpay

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// UnmarshalJSON implements json.Unmarshaler: see Config. Its error holds a *ConfigError for every member that cannot be
// read; the Config is then unchanged. New finds the other mistakes.
func (cfg *Config) UnmarshalJSON(text []byte) error {
	return cfg.read(func(target any) error { return json.Unmarshal(text, target) }, jsonMembers)
}

// UnmarshalYAML is the method that YAML packages call. It does what UnmarshalJSON does, without a dependency on any of
// them.
func (cfg *Config) UnmarshalYAML(unmarshal func(any) error) error {
	return cfg.read(unmarshal, yamlMembers)
}

// MarshalJSON implements json.Marshaler. It writes the fields that are set, under the names that UnmarshalJSON reads.
// Each secret is written as "***", which New refuses.
func (cfg Config) MarshalJSON() ([]byte, error) { return json.Marshal(cfg.shown()) }

// MarshalYAML is the method that YAML packages call. It does what MarshalJSON does.
func (cfg Config) MarshalYAML() (any, error) { return cfg.shown(), nil }

// decode reads one value of a file into what target points to.
type decode func(target any) error

func jsonMembers(object decode) (map[string]decode, error) {
	var members map[string]json.RawMessage
	if err := object(&members); err != nil {
		return nil, err
	}
	values := make(map[string]decode, len(members))
	for name, text := range members {
		if string(text) != "null" {
			values[name] = func(target any) error { return json.Unmarshal(text, target) }
		}
	}
	return values, nil
}

func yamlMembers(object decode) (map[string]decode, error) {
	var members map[string]yamlValue
	if err := object(&members); err != nil {
		return nil, err
	}
	values := make(map[string]decode, len(members))
	for name, value := range members {
		if value.decode != nil { // else it is null
			values[name] = value.decode
		}
	}
	return values, nil
}

// fileText is a text. YAML has numbers that need no quotes, and goccy/go-yaml rewrites a number that is read as text:
// 0012 would become another secret. UnmarshalYAML refuses a value that is not read as it is written.
type fileText string

// UnmarshalYAML reads a text.
func (t *fileText) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	var written yamlSource
	var value any
	if err := errors.Join(unmarshal(&text), unmarshal(&written), unmarshal(&value)); err != nil {
		return err
	}
	if _, isText := value.(string); !isText && string(written) != text {
		return errors.New("daxpay: not a text")
	}
	*t = fileText(text)
	return nil
}

// yamlSource is a scalar as it is written. A YAML package that does not know its method, because it passes no source,
// decodes it as a string.
type yamlSource string

// UnmarshalYAML keeps the source.
func (s *yamlSource) UnmarshalYAML(source []byte) error {
	*s = yamlSource(strings.TrimSpace(string(source)))
	return nil
}

// yamlValue is a value that is decoded later, when its type is known. Decoded into an any, a secret of digits would
// become a number.
type yamlValue struct{ decode decode }

// UnmarshalYAML keeps the value.
func (v *yamlValue) UnmarshalYAML(unmarshal func(any) error) error {
	v.decode = unmarshal
	return nil
}

// read sets the fields that the file has. After an error the Config is unchanged.
func (cfg *Config) read(object decode, members func(decode) (map[string]decode, error)) error {
	changed := *cfg
	r := configReader{members: members}
	r.object(reflect.ValueOf(&changed).Elem(), object, "", "")
	if err := r.err(); err != nil {
		return err
	}
	*cfg = changed
	return nil
}

// configFaults collects mistakes.
type configFaults []*ConfigError

func (f *configFaults) add(field, setting, reason string) {
	*f = append(*f, &ConfigError{Field: field, Setting: setting, Reason: reason})
}

// of reports whether the field has a mistake.
func (f configFaults) of(field string) bool {
	return slices.ContainsFunc(f, func(e *ConfigError) bool { return e.Field == field })
}

func (f configFaults) err() error {
	errs := make([]error, len(f))
	for i, e := range f {
		errs[i] = e
	}
	return errors.Join(errs...)
}

type configReader struct {
	members func(decode) (map[string]decode, error)
	configFaults
}

// object sets the fields of a struct. field and setting are the prefixes of their names, in Go and in the file. The
// decoder's errors are dropped, because they can quote a secret.
func (r *configReader) object(into reflect.Value, object decode, field, setting string) {
	values, err := r.members(object)
	if err != nil {
		if setting == "" {
			setting = "the configuration"
		}
		r.add(strings.TrimSuffix(field, "."), strings.TrimSuffix(setting, "."), "must be an object")
		return
	}
	var names []string
	for i := range into.NumField() {
		f := into.Type().Field(i)
		name := f.Tag.Get("json")
		if name == "-" {
			continue
		}
		names = append(names, name)
		value, ok := values[name]
		delete(values, name)
		switch {
		case !ok:
		case f.Type.Kind() == reflect.Struct:
			r.object(into.Field(i), value, field+f.Name+".", setting+name+".")
		default:
			if reason := setFromFile(into.Field(i), value); reason != "" {
				r.add(field+f.Name, setting+name, reason)
			}
		}
	}
	unknown := make([]string, 0, len(values))
	for name := range values {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		r.add("", setting+clip(name, maxSettingName), "is not a setting"+meant(name, names))
	}
}

const maxSettingName = 32

// meant suggests the known name that differs only in case, hyphens and underscores, or else lists all names.
func meant(name string, names []string) string {
	plain := func(s string) string {
		return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s))
	}
	for _, known := range names {
		if plain(known) == plain(name) {
			return ": write " + known
		}
	}
	return ": the settings are " + strings.Join(names, ", ")
}

// setFromFile sets one field. It returns what is wrong with the value, "" if nothing is.
func setFromFile(field reflect.Value, value decode) string {
	switch field.Interface().(type) {
	case []string:
		var texts []*fileText
		if value(&texts) != nil {
			return mustBeTexts
		}
		list := make([]string, len(texts))
		for i, text := range texts {
			if text != nil { // else it is null
				list[i] = string(*text)
			}
		}
		field.Set(reflect.ValueOf(list))
		return ""
	case bool:
		var b bool
		if value(&b) != nil {
			return mustBeBool
		}
		field.SetBool(b)
		return ""
	case int, int64:
		var n int64
		if value(&n) != nil || field.OverflowInt(n) {
			return mustBeInteger
		}
		field.SetInt(n)
		return ""
	}
	var text fileText
	if value(&text) != nil {
		if field.Type() == reflect.TypeFor[time.Duration]() {
			return mustBeDuration
		}
		return "must be a string: put it in quotes"
	}
	return setFromText(field, string(text))
}

const (
	mustBeTexts    = "must be a list of strings"
	mustBeBool     = "must be true or false"
	mustBeInteger  = "must be a whole number"
	mustBeDuration = "must be a duration with a unit, such as 30s or 1m30s"
)

// setFromText sets one field from its text. It returns what is wrong with the text, "" if nothing is.
func setFromText(field reflect.Value, text string) string {
	switch field.Interface().(type) {
	case SignType:
		t, _ := SignType(text).spelled() // New refuses an unknown one
		field.SetString(string(t))
	case GatewayVersion:
		v, _ := GatewayVersion(text).spelled()
		field.SetString(string(v))
	case string:
		field.SetString(text)
	case time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return mustBeDuration
		}
		field.SetInt(int64(d))
	case *time.Location:
		zone, err := time.LoadLocation(text)
		if err != nil || text == "" { // "" would be UTC
			return "must be a time zone that this machine knows, such as Asia/Shanghai"
		}
		field.Set(reflect.ValueOf(zone))
	default:
		panic(fmt.Sprintf("daxpay: a setting of type %v", field.Type())) // unreachable: a test sets every field
	}
	return ""
}

// shown returns the Config as a file would have it, with masked secrets.
func (cfg Config) shown() map[string]any {
	if cfg.SignSecret != "" {
		cfg.SignSecret = masked
	}
	cfg.PreviousSecrets = slices.Repeat([]string{masked}, len(cfg.PreviousSecrets))
	cfg.ServiceURL = cfg.address()
	return shownFields(reflect.ValueOf(cfg))
}

func shownFields(from reflect.Value) map[string]any {
	values := make(map[string]any)
	for i := range from.NumField() {
		name, field := from.Type().Field(i).Tag.Get("json"), from.Field(i)
		if name == "-" || field.IsZero() {
			continue
		}
		switch value := field.Interface().(type) {
		case time.Duration:
			values[name] = value.String()
		case *time.Location:
			values[name] = value.String()
		case []string:
			if len(value) > 0 {
				values[name] = value
			}
		default:
			if field.Kind() == reflect.Struct {
				values[name] = shownFields(field)
			} else {
				values[name] = value
			}
		}
	}
	return values
}
