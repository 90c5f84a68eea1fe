package shell

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// texts are the doc comments of packages param and model. TestTexts writes the file.
var texts = func() (t struct {
	Types  map[string]string            // what a call does, by the name of its param
	Fields map[string]map[string]string // by the type's name and the field's
	Values map[string][]string          // the constants of a type of codes
}) {
	if err := json.Unmarshal(textsFile, &t); err != nil {
		panic(err) // a test reads it
	}
	return t
}()

//go:embed texts.json
var textsFile []byte

// field is a field of a param or a notice, which can be a flag and a member of a JSON file.
type field struct {
	owner  string // the type that has it
	name   string
	member string
	flag   string
	index  []int
	typ    reflect.Type
	rules  []string
	hidden bool // rarely needed
}

// fieldsOf lists the fields of a struct with those of param.Common, but not of model.Common.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		switch f.Type {
		case reflect.TypeFor[param.Common]():
			for _, common := range fieldsOf(f.Type) {
				common.index = append([]int{i}, common.index...)
				common.hidden = common.name != "ClientIP"
				fields = append(fields, common)
			}
			continue
		case reflect.TypeFor[model.Common]():
			continue
		}
		d := field{
			owner: t.Name(), name: f.Name, member: f.Tag.Get("json"), index: []int{i}, typ: f.Type,
			rules: strings.Split(f.Tag.Get("daxpay"), ","),
		}
		d.flag = d.member
		for _, rule := range d.rules {
			if name, ok := strings.CutPrefix(rule, "no="); ok { // the right spelling of a misspelt member
				d.flag = name
			}
		}
		d.flag = kebab(d.flag)
		fields = append(fields, d)
	}
	return fields
}

// kebab makes biz-order-no of bizOrderNo, and wx-auth-url of WxAuthURL.
func kebab(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		begins := i > 0 && unicode.IsUpper(r) &&
			(unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if begins {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// usage is the help of a field's flag.
func (f field) usage() string {
	s := texts.Fields[f.owner][f.name]
	if s == "" {
		s = f.name
	}
	if slices.Contains(f.rules, "required") && !strings.Contains(s, "required") {
		s += ", required"
	}
	if values := texts.Values[f.typ.Name()]; len(values) > 0 {
		s += ": " + strings.Join(values, ", ")
	}
	switch f.typ {
	case reflect.TypeFor[time.Time](), reflect.TypeFor[model.Time]():
		s += "; such as 2026-01-31T18:00:00+08:00, or Unix seconds"
	case reflect.TypeFor[param.ExtraParam]():
		s += `; JSON, such as {"authCode":"…"}`
	}
	if f.typ.Kind() == reflect.Slice {
		s += `; a JSON list, such as [{"receiverNo":"V1","amount":100}]`
	}
	return strings.ReplaceAll(s, "`", "'") // which pflag takes for the name of the value
}

// set reads the text of a flag into the field.
func (f field) set(into reflect.Value, text string) error {
	v := into.FieldByIndex(f.index)
	switch v.Interface().(type) {
	case time.Time, model.Time:
		return f.setTime(v, text)
	}
	switch f.typ.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("must be true or false")
		}
		v.SetBool(b)
	case reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			if strings.Contains(text, ".") {
				return errors.New("must be a whole number; amounts are in fen: 12.30 yuan is 1230")
			}
			return errors.New("must be a whole number")
		}
		v.SetInt(n)
	default: // a list or an object
		return f.setJSON(into, []byte(text))
	}
	return nil
}

func (f field) setTime(v reflect.Value, text string) error {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		seconds, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil:
			return errors.New("must be a time such as 2026-01-31T18:00:00+08:00, or Unix seconds")
		case seconds > 1e11:
			return errors.New("must be Unix seconds; this looks like milliseconds")
		}
		t = time.Unix(seconds, 0)
	}
	if v.Type() == reflect.TypeFor[model.Time]() {
		v.Set(reflect.ValueOf(model.Time{Time: t}))
		return nil
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

// setJSON reads a member of a JSON file into the field.
func (f field) setJSON(into reflect.Value, text []byte) error {
	v := into.FieldByIndex(f.index)
	switch v.Interface().(type) {
	case time.Time, model.Time:
		return f.setTime(v, strings.Trim(string(text), `"`))
	}
	if f.typ == reflect.TypeFor[param.ExtraParam]() {
		if !json.Valid(text) || !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
			return errors.New(`must be a JSON object, such as {"authCode":"…"}`)
		}
		v.Set(reflect.ValueOf(param.ExtraJSON(text)))
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v.Addr().Interface()); err != nil {
		switch f.typ.Kind() {
		case reflect.String:
			return errors.New("must be text")
		case reflect.Bool:
			return errors.New("must be true or false")
		case reflect.Int64:
			return errors.New("must be a whole number")
		}
		return fmt.Errorf(`must be a JSON list such as [{"receiverNo":"V1","amount":100}]: %w`, err)
	}
	return nil
}

// fieldFlag is the flag of a field. It keeps the text until --data was read, because flags take precedence over that.
type fieldFlag struct {
	field field
	text  string
}

// String implements pflag.Value.
func (f *fieldFlag) String() string { return f.text }

// Type implements pflag.Value.
func (f *fieldFlag) Type() string {
	switch f.field.typ.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int64:
		return "int"
	case reflect.Struct:
		return "time"
	case reflect.Slice, reflect.Interface:
		return "JSON"
	}
	return "string"
}

// Set implements pflag.Value.
func (f *fieldFlag) Set(text string) error {
	owner := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Field", Type: f.field.typ}})).Elem()
	probe := f.field
	probe.index = []int{0}
	if err := probe.set(owner, text); err != nil {
		return err
	}
	f.text = text
	return nil
}

// addFields adds a flag for each field to a command.
func addFields(cmd *cobra.Command, fields []field) {
	for _, f := range fields {
		flag := cmd.Flags().VarPF(&fieldFlag{field: f}, f.flag, "", f.usage())
		flag.Hidden = f.hidden
		if f.typ.Kind() == reflect.Bool {
			flag.NoOptDefVal = "true"
		}
		if values := texts.Values[f.typ.Name()]; len(values) > 0 {
			_ = cmd.RegisterFlagCompletionFunc(f.flag, cobra.FixedCompletions(values, noFiles))
		}
	}
}

// setFields sets the fields whose flags were given.
func setFields(cmd *cobra.Command, into reflect.Value) error {
	var err error
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if f, ok := flag.Value.(*fieldFlag); ok && err == nil {
			err = f.field.set(into, f.text)
		}
	})
	return err
}

// readData sets the fields that a JSON object has. The members have the names that they have on the wire.
func readData(into reflect.Value, fields []field, text []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return failure(exitUsage, "--data: must be one JSON object: %w", err)
	}
	var errs []error
	for _, f := range fields {
		for _, name := range []string{f.member, lowerCamel(f.flag)} {
			value, ok := members[name]
			delete(members, name)
			if !ok || string(value) == "null" {
				continue
			}
			if err := f.setJSON(into, value); err != nil {
				errs = append(errs, failure(exitUsage, "--data: %s %w", name, err))
			}
		}
	}
	unknown := make([]string, 0, len(members))
	for name := range members {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		errs = append(errs, failure(exitUsage, "--data: %q is no member of this call%s", name, likeOne(name, fields)))
	}
	return errors.Join(errs...)
}

// likeOne suggests a member that differs only in case and punctuation.
func likeOne(name string, fields []field) string {
	plain := func(s string) string {
		return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s))
	}
	for _, f := range fields {
		if plain(f.flag) == plain(name) {
			return ": write " + lowerCamel(f.flag)
		}
	}
	return ""
}

// lowerCamel is the reverse of kebab.
func lowerCamel(flag string) string {
	first, rest, _ := strings.Cut(flag, "-")
	for _, word := range strings.Split(rest, "-") {
		if word != "" {
			first += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return first
}

// maxInput limits a file or the standard input.
const maxInput = 16 << 20

// read reads a file, or the standard input for "-".
func (s *shell) read(ctx context.Context, name string) ([]byte, error) {
	in := s.in
	if name != "-" {
		file, err := os.Open(name) //nolint:gosec // the user names it
		if err != nil {
			return nil, failure(exitUsage, "%w", err)
		}
		defer file.Close() //nolint:errcheck // it was read
		in = file
	}
	if name == "-" && term.IsTerminal(int(in.Fd())) {
		s.warnf("Type or paste the JSON, and Ctrl-D at the beginning of a line to end it:\n")
	}
	text, err := interruptible(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(in, maxInput+1)) })
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(text) > maxInput:
		return nil, failure(exitUsage, "%s has more than %d bytes", name, maxInput)
	}
	return text, nil
}
