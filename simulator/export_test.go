package simulator

// AddPartner gives a partner ID a name. Links that exist keep the name they
// were written with.
func (s *Simulator) AddPartner(id, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partners[id] = partner{id: id, name: name}
}
