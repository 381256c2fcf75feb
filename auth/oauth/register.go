package oauth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"mcp-partner/auth/users"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
)

const (
	// maxBody bounds the body of every request.
	maxBody = 16 << 10
	// maxRegistered is how many clients may be registered by themselves.
	maxRegistered = 1000
)

func (s *Server) register(w http.ResponseWriter, r *http.Request) {
	answer, err := s.registration(r)
	s.reply(w, http.StatusCreated, answer, err)
}

func (s *Server) registration(r *http.Request) (map[string]any, error) {
	if err := s.held(r.Context(), s.registrations, users.AddressOf(r), "Too many clients were registered."); err != nil {
		return nil, err
	}
	raw, err := readBody(r)
	var m metadata
	if err == nil {
		m, err = readMetadata([]byte(raw))
	}
	if err != nil {
		return nil, &failure{code: "invalid_client_metadata", text: "The registration cannot be used: " + err.Error() + "."}
	}
	if err := checkRedirectList(m.Redirects, s.redirects.allows); err != nil {
		return nil, &failure{code: "invalid_redirect_uri", text: "The registration cannot be used: " + err.Error() + "."}
	}
	m.Method = cmp.Or(m.Method, authBasic) // as RFC 7591 says
	if !slices.Contains(authMethods(), m.Method) {
		return nil, &failure{code: "invalid_client_metadata", text: "token_endpoint_auth_method is not one of " + strings.Join(authMethods(), ", ") + "."}
	}
	return s.addRegistered(r.Context(), m)
}

func (s *Server) addRegistered(ctx context.Context, m metadata) (map[string]any, error) {
	now := s.o.Now()
	client := Client{ID: "mpc_" + page.NewHandle(), Kind: ByRegistration, Name: m.Name, Redirects: m.Redirects, Method: m.Method, AddedAt: now, Expires: guard.Stamp{Time: now.Add(unusedFor)}}
	answer := map[string]any{
		"client_id": client.ID, "client_id_issued_at": now.Unix(), "client_name": m.Name, "redirect_uris": m.Redirects, "token_endpoint_auth_method": m.Method,
		"grant_types": []string{grantCode, grantRefresh}, "response_types": []string{"code"},
	}
	if m.Method != authNone {
		secret := "mps_" + page.NewHandle()
		answer["client_secret"], answer["client_secret_expires_at"] = secret, 0
		client.SecretHash = digest("client", secret)
	}
	instead, err := s.makeRoom(ctx)
	if err != nil {
		return nil, err
	}
	var events []guard.Event // a flood writes one a minute; the first use of each is written too
	if detail, ok := s.notes.Note("registered", "registered "+client.ID+", "+client.Shown()); ok {
		events = append(events, s.event(guard.KindClient, "", detail))
	}
	return answer, s.o.Store.ChangeStates(ctx, func(tx guard.StateTx) error {
		if err := tx.Remove(guard.ClientState, instead); err != nil {
			return err
		}
		return tx.Put(guard.ClientState, client.ID, client, events...)
	})
}

// makeRoom names the registration to remove for a new one: "" while there is room, and
// then the oldest that is unused.
func (s *Server) makeRoom(ctx context.Context) (id string, err error) {
	all, err := guard.Rows(ctx, s.o.Store, guard.ClientState, func(c Client) bool { return c.Kind == ByRegistration && c.live(s.o.Now()) })
	if err != nil || len(all) < maxRegistered {
		return "", err
	}
	unused := slices.DeleteFunc(all, func(c Client) bool { return !c.UsedAt.IsZero() })
	if len(unused) == 0 {
		return "", errors.New("too many clients are registered and in use")
	}
	return slices.MinFunc(unused, func(a, b Client) int { return a.AddedAt.Compare(b.AddedAt) }).ID, nil
}
