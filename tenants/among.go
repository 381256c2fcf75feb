package tenants

import "mcp-partner/internal/naming"

// ResolveAmong is Resolve for somebody who may see a part of the directory: an
// entry that sees does not say yes to is answered exactly as one that does not
// exist, and no suggestion names it. A nil sees says yes to all.
func (d *Directory) ResolveAmong(ref string, sees func(name string) bool) (Entry, error) {
	s, err := d.snapshot()
	if err != nil {
		return Entry{}, err
	}
	if sees == nil {
		return s.resolve(ref)
	}
	if i, ok := s.find(ref); ok && sees(s.entries[i].Name) {
		return s.entries[i].clone(), nil
	}
	part := s.among(sees)
	if ref != "" && len(part.entries) == 0 {
		return Entry{}, part.unknown(ref) // that the directory is empty would be the operator's concern
	}
	return part.resolve(ref)
}

func (s *snapshot) among(sees func(name string) bool) *snapshot {
	part := &snapshot{byName: map[string]int{}, byDomain: map[string]int{}, byTenantID: map[string]int{}}
	for _, e := range s.entries {
		if !sees(e.Name) {
			continue
		}
		i := len(part.entries)
		part.entries = append(part.entries, e)
		part.byName[naming.Fold(e.Name)], part.byTenantID[e.TenantID] = i, i
		for _, domain := range e.Domains {
			part.byDomain[naming.Fold(domain)] = i
		}
	}
	return part
}
