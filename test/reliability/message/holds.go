package message

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
)

// Holds compares a model with the object it was read from, as encoding/json reads that: every member by its exact name,
// and nothing in the model that is not in the object.
func Holds(m any, raw []byte) error {
	object, err := peer.Parse(raw)
	if err != nil {
		return fmt.Errorf("encoding/json cannot read what was accepted: %w", err)
	}
	return holds(reflect.Indirect(reflect.ValueOf(m)), object)
}

func holds(m reflect.Value, object peer.Object) error {
	for i := range m.NumField() {
		f := m.Type().Field(i)
		name := jsonName(f)
		var err error
		switch {
		case f.Anonymous:
			err = holds(m.Field(i), object)
		case name == "-":
		default:
			value := object.Get(name)
			if old := gateway.OldName(name); value == nil && old != "" {
				value = object.Get(old)
			}
			err = holdsValue(m.Field(i), name, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func holdsValue(m reflect.Value, name string, value any) error {
	var same bool
	switch {
	case value == nil:
		same = m.IsZero()
	case m.Type() == timeType:
		when, _ := m.Interface().(model.Time)
		same = !when.IsZero() && seconds(value) == strconv.FormatInt(when.Unix(), 10)
	case m.Kind() == reflect.Slice:
		items, ok := value.([]any)
		if same = ok && len(items) == m.Len(); !same {
			break
		}
		for i, item := range items {
			object, ok := item.(peer.Object)
			if !ok && item != nil {
				return fmt.Errorf("the model has an object for %s[%d], which is none", name, i)
			}
			if err := holds(m.Index(i), object); err != nil {
				return err
			}
		}
	case m.Kind() == reflect.Bool:
		same = value == m.Bool()
	case m.Kind() == reflect.String:
		same = value == m.String()
	default:
		same = digits(value) == strconv.FormatInt(m.Int(), 10)
	}
	if !same {
		return fmt.Errorf("the model has %v for %s, where the message has %v", m, name, value)
	}
	return nil
}

func digits(value any) string {
	if n, ok := value.(json.Number); ok {
		return n.String()
	}
	s, _ := value.(string)
	return s
}

func seconds(value any) string {
	s := digits(value)
	if when, err := time.ParseInLocation(time.DateTime, s, Zone); err == nil {
		return strconv.FormatInt(when.Unix(), 10)
	}
	return s
}
