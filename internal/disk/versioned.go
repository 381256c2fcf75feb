package disk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// DecodeVersioned decodes one JSON value of a known version and nothing else.
// version is the member of value that holds its version.
func DecodeVersioned(data []byte, known int, value any, version *int) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		return undecodable(data, known)
	}
	if err := checkVersion(*version, known); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is data after its end")
	}
	return nil
}

// undecodable looks for the version alone, because a newer file may well have
// fields that this program does not know.
func undecodable(data []byte, known int) error {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return errors.New("it is not valid JSON, or it is cut off")
	}
	if err := checkVersion(head.Version, known); err != nil {
		return err
	}
	return errors.New("a field is unknown or has the wrong type")
}

func checkVersion(version, known int) error {
	switch {
	case version > known:
		return fmt.Errorf("its version %d is from a newer program", version)
	case version < 1:
		return fmt.Errorf("its version is %d, but this program supports %d", version, known)
	}
	return nil
}
