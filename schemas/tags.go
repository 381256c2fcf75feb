package schemas

import (
	"reflect"
	"strings"
)

func jsonName(f reflect.StructField) (name string, required bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, options != "omitempty" && options != "omitzero"
}

func enumOf(tag string) []any {
	if tag == "" {
		return nil
	}
	var values []any
	for value := range strings.SplitSeq(tag, ",") {
		values = append(values, value)
	}
	return values
}

func ptr[T any](value T) *T { return &value }
