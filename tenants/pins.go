package tenants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// pinsFile holds what was pinned since DirectoryFile was written, one object ID
// a line: the first audit of 100 000 tenants pins as many, a few at a time, and
// must not write the whole directory for each batch. Writing the directory
// includes these pins and removes the file. A pin that reappears after an
// interruption refuses a sign-in and never admits one.
const pinsFile = "directory.pins"

// Pin is the object ID that a credential turned out to have in a tenant.
type Pin struct {
	Tenant, Credential, ObjectID string
}

// pinRecord is a line of pinsFile. The tenant may have another name by now.
type pinRecord struct {
	TenantID   string `json:"tenant_id"`
	Credential string `json:"credential"`
	ObjectID   string `json:"object_id"`
}

// PinObjectID keeps the object ID that a credential had in a tenant at its
// first success. See PinObjectIDs.
func (d *Directory) PinObjectID(ctx context.Context, tenant, credential, objectID string) error {
	return d.PinObjectIDs(ctx, Pin{tenant, credential, objectID})
}

// PinObjectIDs keeps object IDs, all in one write. What is pinned already is
// not written again; a different one is refused as CodeWrongIdentity and then
// nothing is pinned.
func (d *Directory) PinObjectIDs(ctx context.Context, pins ...Pin) error {
	s, err := d.snapshot()
	if err != nil {
		return err
	}
	if fresh, err := s.unpinned(pins); err != nil || len(fresh) == 0 {
		return err
	}
	release, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	have, err := d.refresh()
	if err != nil {
		return err
	}
	fresh, err := have.snapshot.unpinned(pins)
	if err != nil || len(fresh) == 0 {
		return err
	}
	return d.appendPins(*have, fresh)
}

// appendPins takes the place of what an interrupted write left behind the last
// whole line. The lock is held.
func (d *Directory) appendPins(have loaded, fresh []pinRecord) error {
	if d.disk != nil {
		var lines bytes.Buffer
		encoder := json.NewEncoder(&lines)
		for _, record := range fresh {
			if err := encoder.Encode(record); err != nil {
				return err
			}
		}
		seen, err := d.disk.Append(pinsFile, have.pinsRead, lines.Bytes())
		if err != nil {
			return err
		}
		have.pins, have.pinsRead = seen, have.pinsRead+int64(lines.Len())
	}
	have.snapshot.pin(fresh)
	d.current.Store(&have)
	return nil
}

// unpinned checks pins and returns those that are new.
func (s *snapshot) unpinned(pins []Pin) ([]pinRecord, error) {
	var fresh []pinRecord
	taken := map[pinRecord]string{}
	for _, pin := range pins {
		i, ok := s.byName[naming.Fold(pin.Tenant)]
		if !ok {
			return nil, s.unknown(pin.Tenant)
		}
		entry := s.entry(i)
		ref, err := entry.Credential(pin.Credential)
		if err != nil {
			return nil, err
		}
		if !naming.IsGUID(pin.ObjectID) {
			return nil, problems.InvalidArgument("object ID %s of %s is not a GUID.", untrusted.Shown(pin.ObjectID), entry.Name)
		}
		key, objectID := pinRecord{TenantID: entry.TenantID, Credential: ref.Name}, strings.ToLower(pin.ObjectID)
		switch known := ref.PinnedObjectID + taken[key]; known {
		case "":
			taken[key] = objectID
			fresh = append(fresh, pinRecord{entry.TenantID, ref.Name, objectID})
		case objectID:
		default:
			return nil, problems.New(problems.CodeWrongIdentity,
				"In tenant "+pin.Tenant+" another object ID is pinned for the credential "+ref.Name+".")
		}
	}
	return fresh, nil
}

// pin adds pins where there are none; what has left the directory has none.
func (s *snapshot) pin(records []pinRecord) {
	s.pinning.Lock()
	defer s.pinning.Unlock()
	for _, record := range records {
		i, ok := s.byTenantID[record.TenantID]
		if !ok {
			continue
		}
		entry := s.entry(i)
		at := slices.IndexFunc(entry.Credentials, func(ref CredentialRef) bool { return naming.Same(ref.Name, record.Credential) })
		if at >= 0 && entry.Credentials[at].PinnedObjectID == "" {
			entry.Credentials[at].PinnedObjectID = record.ObjectID
			s.entries[i].Store(&entry)
		}
	}
}

// addPins takes lines of pinsFile that follow those which were read. One that was
// cut off when it was written is not there yet.
func (d *Directory) addPins(l *loaded, lines []byte) error {
	lines = lines[:bytes.LastIndexByte(lines, '\n')+1]
	var records []pinRecord
	decoder := json.NewDecoder(bytes.NewReader(lines))
	for {
		var record pinRecord
		err := decoder.Decode(&record)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || !naming.IsGUID(record.ObjectID) {
			return d.disk.Corrupt(pinsFile, "it has a line that is no pinned object ID",
				problems.WithHint("Remove it: each identity is pinned again when it signs in next."))
		}
		records = append(records, record)
	}
	l.snapshot.pin(records)
	l.pinsRead += int64(len(lines))
	return nil
}
