package answers

import "slices"

// ChangeKind says how an identity in a tenant differs between two audits.
type ChangeKind string

// The kinds of changes, in the order in which they matter.
const (
	// KindLinkVanished: the identity was linked when it last answered, and has no
	// link now.
	KindLinkVanished ChangeKind = "link_vanished"
	// KindPartnerChanged: linked then and now, to different partner IDs.
	KindPartnerChanged ChangeKind = "partner_changed"
	// KindRoleLost: a role was removed, or fewer subscriptions have an eligible one.
	KindRoleLost ChangeKind = "role_lost"
	// KindIdentityReplaced: the credential opens another identity. Nothing is known of
	// the link of the earlier one.
	KindIdentityReplaced ChangeKind = "identity_replaced"
	// KindUnknownRepeatedly: unknown in several audits in a row.
	KindUnknownRepeatedly ChangeKind = "unknown_repeatedly"
	// KindCredentialExpires: the end of the credential has come nearer.
	KindCredentialExpires ChangeKind = "credential_expires"
	// KindNewlyUnknown: answered then, and now not. It says nothing about the link.
	KindNewlyUnknown ChangeKind = "newly_unknown"
	// KindVerdictChanged: the same link counts otherwise than before.
	KindVerdictChanged ChangeKind = "verdict_changed"
	// KindRolesChanged: roles differ, and none was lost.
	KindRolesChanged ChangeKind = "roles_changed"
	KindNewlyLinked  ChangeKind = "newly_linked"
	// KindKnownAgain: unknown then, and as it was before that, or known for the first
	// time.
	KindKnownAgain ChangeKind = "known_again"
	// KindGone and KindAppeared: a row of one of the two alone, because the directory
	// differs.
	KindGone     ChangeKind = "gone"
	KindAppeared ChangeKind = "new"
)

// ChangeKinds returns all kinds, in their order.
func ChangeKinds() []ChangeKind {
	return append(AlertKinds(), KindNewlyUnknown, KindVerdictChanged, KindRolesChanged, KindNewlyLinked, KindKnownAgain, KindGone, KindAppeared)
}

// AlertKinds are the kinds that somebody should hear of.
func AlertKinds() []ChangeKind {
	return []ChangeKind{KindLinkVanished, KindPartnerChanged, KindRoleLost, KindIdentityReplaced, KindUnknownRepeatedly, KindCredentialExpires}
}

// AboutLink reports whether the kind is about the link itself, which a write of this
// program can explain.
func (k ChangeKind) AboutLink() bool {
	return slices.Contains([]ChangeKind{KindLinkVanished, KindPartnerChanged, KindNewlyLinked, KindVerdictChanged}, k)
}

// RowChange is how a row differs from the last answer of its identity.
type RowChange struct {
	Kind ChangeKind `json:"kind" doc:"Such as link_vanished or identity_replaced."`
	// State and PartnerID are those of the earlier audit.
	State     RowState `json:"state,omitempty" doc:"State before."`
	PartnerID string   `json:"partner_id,omitempty" doc:"MPN ID before."`
	Roles     []string `json:"roles,omitempty"`
	Own       bool     `json:"own,omitempty" doc:"Written by this program."`
	// Acknowledged is what a person wrote about it: untrusted text.
	Acknowledged string `json:"acknowledged,omitempty" doc:"Untrusted text of a person who knows of it."`
}
