package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

const (
	// invitationPurpose tells an invitation from other rows that are good once.
	invitationPurpose = "invitation"
	invitationLife    = 15 * time.Minute
)

// Invitation is a link with which a user makes a passkey, once. It is kept under
// InvitationName of its handle.
type Invitation struct {
	Purpose  string    `json:"purpose"`
	User     string    `json:"user"`
	IssuedBy string    `json:"issued_by"`
	IssuedAt time.Time `json:"issued"`
	Expires  Stamp     `json:"expires"`
}

// NewInvitation makes an invitation. The handle is returned once and kept nowhere; the
// row has still to be stored.
func NewInvitation(user, by string, now time.Time) (handle string, row Invitation) {
	return newHandle(), Invitation{Purpose: invitationPurpose, User: user, IssuedBy: by, IssuedAt: now, Expires: Stamp{Time: now.Add(invitationLife)}}
}

// InvitationName is the name of the row of an invitation.
func InvitationName(handle string) string {
	sum := sha256.Sum256([]byte("mcp-partner invitation\x00" + handle))
	return hex.EncodeToString(sum[:])
}

// Holds reports whether a user may make a passkey with an invitation: one from before
// the user was added or reset is void.
func (i Invitation) Holds(user User, now time.Time) bool {
	return i.Purpose == invitationPurpose && i.User == user.Name && now.Before(i.Expires.Time) &&
		!i.IssuedAt.Before(user.AddedAt) && !i.IssuedAt.Before(user.ResetAt)
}
