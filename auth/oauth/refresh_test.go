package oauth

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestRefreshTokenUsedTwiceEndsTheFamily(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client, first := s.connect("entra:t:alice")
	second := s.refresh(client, first.text("refresh_token"))
	s.mustWork(second.text("access_token"))
	s.clock.Advance(grace + time.Second)
	if thief := s.refresh(client, first.text("refresh_token")); thief.text("error") != errGrant {
		t.Error(thief.body)
	}
	for _, tokens := range []seen{first, second} {
		s.mustFail(tokens.text("access_token"))
	}
	if again := s.refresh(client, second.text("refresh_token")); again.text("error") != errGrant {
		t.Error(again.body)
	}
	if len(s.entries("a refresh token was used twice")) != 1 {
		t.Error(s.entries("ended"))
	}
}

// Who shows what never was a token of the family harms nobody.
func TestUnknownRefreshTokenEndsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client, tokens := s.connect("entra:t:alice")
	other := s.clientID()
	shown := tokens.text("refresh_token")
	for _, token := range []string{"", "x", shown + "A", shown[:len(shown)-1], refreshPrefix, tokens.text("access_token")} {
		if answer := s.refresh(client, token); answer.text("error") != errGrant {
			t.Error(answer.body)
		}
	}
	s.refresh(other, shown)
	s.refresh(client, shown, "scope", "partner.change")
	s.mustWork(s.refresh(client, shown, "scope", "partner.read").text("access_token"))
}

// Two windows of one client refresh at the same moment: both go on, with one refresh
// token, and a third generation works for both.
func TestWindowsOfOneClientRefreshTogether(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client, first := s.connect("entra:t:alice")
	one := s.refresh(client, first.text("refresh_token"))
	s.clock.Advance(grace - time.Second)
	two := s.refresh(client, first.text("refresh_token"))
	if one.text("refresh_token") != two.text("refresh_token") || one.text("access_token") == two.text("access_token") {
		t.Error(one.body, two.body)
	}
	s.mustWork(one.text("access_token"))
	s.mustWork(two.text("access_token"))
	s.mustWork(s.refresh(client, two.text("refresh_token")).text("access_token"))
}

func TestRaceOfRefreshesHasOneWinner(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client, first := s.connect("entra:t:alice")
	answers := make([]seen, 64)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = s.refresh(client, first.text("refresh_token")) })
	}
	all.Wait()
	var next []string
	for _, answer := range answers {
		s.mustWork(answer.text("access_token"))
		next = append(next, answer.text("refresh_token"))
	}
	slices.Sort(next)
	if next = slices.Compact(next); len(next) != 1 || len(s.entries("refreshed tokens")) != 1 || s.people.renewals != 1 {
		t.Errorf("%d refresh tokens, %d entries, the issuer was asked %d times", len(next), len(s.entries("refreshed tokens")), s.people.renewals)
	}
	s.mustWork(s.refresh(client, next[0]).text("access_token"))
}

func TestFamilyEndsTwelveHoursAfterConsent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client, tokens := s.connect("entra:t:alice")
	for range 47 {
		s.clock.Advance(15 * time.Minute)
		tokens = s.refresh(client, tokens.text("refresh_token"))
		s.mustWork(tokens.text("access_token"))
	}
	s.clock.Advance(14 * time.Minute)
	tokens = s.refresh(client, tokens.text("refresh_token"))
	if tokens.json()["expires_in"] != 60.0 {
		t.Error(tokens.body)
	}
	s.clock.Advance(time.Minute)
	s.mustFail(tokens.text("access_token"))
	if again := s.refresh(client, tokens.text("refresh_token")); again.text("error") != errGrant {
		t.Error(again.body)
	}
}

// A client that refreshes without end neither fills the record nor asks the issuer each
// time, and harms no other.
func TestLoopOfRefreshesIsHeldBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client, tokens := s.connect("entra:t:alice")
	other, fine := s.connect("entra:t:bob")
	for range 100 {
		tokens = s.refresh(client, tokens.text("refresh_token"))
	}
	held := s.refresh(client, tokens.text("refresh_token"))
	if held.status != http.StatusTooManyRequests || held.header.Get("Retry-After") == "" || s.people.renewals != 100 || len(s.entries("refreshed tokens")) != 100 {
		t.Errorf("%d %s, %d renewals", held.status, held.body, s.people.renewals)
	}
	s.mustWork(s.refresh(other, fine.text("refresh_token")).text("access_token"))
	s.clock.Advance(time.Second)
	s.mustWork(s.refresh(client, tokens.text("refresh_token")).text("access_token"))
}
