package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
)

type kind uint8

const (
	kindString kind = iota
	kindInt
	kindUint
	kindBool
	kindTime
	kindStruct
	kindList
	kindPointer
	kindInterface // can be sent, not received
	kindJSON      // has its own MarshalJSON or UnmarshalJSON
)

// shape is what Go type a value has.
type shape struct {
	kind kind
	elem *shape // of kindList and kindPointer
	plan *Plan  // of kindStruct

	wrapped  bool // of kindTime: it is a struct in which the time is embedded
	inverted bool // of kindBool: it is written as its opposite
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	marshalerType   = reflect.TypeFor[json.Marshaler]()
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
)

// isTime accepts time.Time and structs that only embed it, such as model.Time.
func isTime(t reflect.Type) bool {
	return t == timeType ||
		t.Kind() == reflect.Struct && t.NumField() == 1 && t.Field(0).Anonymous && t.Field(0).Type == timeType
}

var simpleKinds = map[reflect.Kind]kind{
	reflect.Interface: kindInterface, reflect.String: kindString, reflect.Bool: kindBool,
	reflect.Int: kindInt, reflect.Int8: kindInt, reflect.Int16: kindInt, reflect.Int32: kindInt, reflect.Int64: kindInt,
	reflect.Uint: kindUint, reflect.Uint8: kindUint, reflect.Uint16: kindUint, reflect.Uint32: kindUint, reflect.Uint64: kindUint,
}

func shapeOf(t reflect.Type, outer []reflect.Type) (shape, error) {
	switch {
	case isTime(t):
		return shape{kind: kindTime, wrapped: t != timeType}, nil
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Pointer:
		return shape{}, errors.New("is a pointer to a pointer: use a pointer")
	case t.Kind() == reflect.Pointer:
		elem, err := shapeOf(t.Elem(), outer)
		return shape{kind: kindPointer, elem: &elem}, err
	case reflect.PointerTo(t).Implements(marshalerType) || reflect.PointerTo(t).Implements(unmarshalerType):
		return shape{kind: kindJSON}, nil
	}
	if kind, ok := simpleKinds[t.Kind()]; ok {
		return shape{kind: kind}, nil
	}
	switch t.Kind() {
	case reflect.Struct:
		plan, err := buildPlan(t, outer)
		return shape{kind: kindStruct, plan: plan}, err
	case reflect.Slice:
		elem, err := shapeOf(t.Elem(), outer)
		return shape{kind: kindList, elem: &elem}, err
	case reflect.Float32, reflect.Float64:
		return shape{}, errors.New("is floating point, which loses digits: use an integer or a string")
	}
	return shape{}, fmt.Errorf("has the type %s, which is not supported: "+
		"use a string, an integer, bool, time.Time, a struct, a list or json.RawMessage", t)
}

// isUnset tells whether a value is left out of a request.
func (s *shape) isUnset(v reflect.Value) bool {
	switch s.kind {
	case kindTime: // the second question is for a zero time in a zone
		return v.IsZero() || s.timeOf(v).IsZero()
	case kindList, kindString:
		return v.Len() == 0
	case kindInterface:
		v = behind(v)
		return !v.IsValid() || v.IsZero()
	}
	return v.IsZero()
}

// behind is what stands in an interface, or behind the pointer in it; the zero Value if there is nothing.
func behind(v reflect.Value) reflect.Value {
	v = v.Elem()
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v
}

// held is the shape and the value of what stands in an interface.
func held(v reflect.Value) (*shape, reflect.Value, error) {
	v = behind(v)
	switch v.Kind() {
	case reflect.Invalid:
		return nil, v, errors.New("is nil") // an element of a list; a member would have been left out
	case reflect.Pointer, reflect.Interface:
		return nil, v, errors.New("is a pointer to a pointer or to an interface")
	}
	t := v.Type()
	if t.Kind() == reflect.Struct && !isTime(t) && !reflect.PointerTo(t).Implements(marshalerType) {
		plan, err := PlanOf(t) // which is kept, unlike other shapes
		return &shape{kind: kindStruct, plan: plan}, v, err
	}
	s, err := shapeOf(t, nil)
	return &s, v, err
}

func (s *shape) timeOf(v reflect.Value) time.Time {
	if s.wrapped {
		v = v.Field(0)
	}
	if v.CanAddr() {
		t, _ := v.Addr().Interface().(*time.Time) // which, unlike the time itself, takes no memory in an interface
		return *t
	}
	t, _ := v.Interface().(time.Time)
	return t
}

// innermost is what a list or a pointer, or one in another, leads to.
func (s *shape) innermost() *shape {
	for s.elem != nil {
		s = s.elem
	}
	return s
}
