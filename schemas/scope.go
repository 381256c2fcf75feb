package schemas

import "encoding/json"

// Scope is the out_of_scope of find_partner_tool: null where a tool fits. It is
// a type of its own because a nil pointer is left out, and null has to be said.
type Scope struct{ Out *OutOfScope }

// OutOfScope says that no tool here does what was asked, and what does.
type OutOfScope struct {
	Reason     string       `json:"reason"`
	UseInstead []UseInstead `json:"use_instead"`
}

// UseInstead names another product and what it is for.
type UseInstead struct {
	Name    string `json:"name"`
	WhatFor string `json:"what_for"`
}

// MarshalJSON writes null or the object.
func (s Scope) MarshalJSON() ([]byte, error) { return json.Marshal(s.Out) }

// UnmarshalJSON reads the object; a null leaves the envelope's field nil.
func (s *Scope) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &s.Out) }
