package tenantimport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
	"mcp-partner/signin"
	"mcp-partner/tenants"
)

// lookups is how many domains are asked about at once.
const lookups = 16

// question is a domain whose tenant is not known, and where to ask.
type question struct {
	cloud  tenants.Cloud
	domain string
}

type reply struct {
	tenantID string
	err      error
}

type asked struct {
	numbered
	question
}

// resolve fills in the tenant IDs of rows that have a domain alone. It says whom
// it asks before it does.
func (a *arranger) resolve(ctx context.Context, wanted bool) error {
	open, err := a.open()
	if err != nil || len(open) == 0 {
		return err
	}
	if leftOut := a.file.leftOut(); !wanted && len(leftOut) > 0 {
		return exit.Refused("say with --map \"COLUMN=tenant_id\" which column has the tenant IDs, or add --resolve-domains, which sends the domains to Entra ID",
			"%s with a domain and no tenant ID, the first on line %d, and the ignored columns are %s; nothing was changed", phrase.Count(len(open), "row"), open[0].line, strings.Join(leftOut, ", "))
	}
	if !wanted {
		return exit.Refused("add --resolve-domains to look up their tenants in Entra ID, which sends it the domains but no credential",
			"%s with a domain and no tenant ID, the first on line %d; nothing was changed", phrase.Count(len(open), "row"), open[0].line)
	}
	var questions []question
	seen := map[question]bool{}
	for _, one := range open {
		if !seen[one.question] {
			seen[one.question], questions = true, append(questions, one.question)
		}
	}
	hosts := slices.Sorted(slices.Values(xslices.Map(questions, func(q question) string { return q.cloud.AuthorityHost() })))
	asking := fmt.Sprintf("Asking %s for the tenants of %s; no credential is sent.", strings.Join(slices.Compact(hosts), ", "), phrase.Count(len(questions), "domain"))
	if err := a.options.Progress(false, asking); err != nil {
		return err
	}
	replies := tenantsOf(ctx, a.house.HTTP, questions)
	if ctx.Err() != nil {
		return problems.New(problems.CodeCancelled, "The look-up of domains was stopped; nothing was changed.")
	}
	return a.fillIn(open, replies)
}

func (a *arranger) open() ([]asked, error) {
	var open []asked
	for _, row := range a.file.rows {
		domains := cellList(row.Row["domains"])
		if row.Row["tenant_id"] != "" || len(domains) == 0 {
			continue
		}
		if _, exists, _ := a.house.Directory.Find(row.Row["name"]); exists {
			continue // which keeps its tenant ID
		}
		cloud, err := a.cloudOf(row)
		if err != nil {
			return nil, exit.Refused("correct the file; nothing was changed", "%s: line %d: %s", a.options.source(), row.line, exit.MessageOf(err))
		}
		open = append(open, asked{row, question{cloud, strings.ToLower(domains[0])}})
	}
	return open, nil
}

func (a *arranger) cloudOf(row numbered) (tenants.Cloud, error) {
	name := a.options.Credential.Name
	if names := cellList(row.Row["credential"]); len(names) > 0 {
		name = names[0]
	}
	entry := tenants.Entry{Cloud: tenants.Cloud{Name: tenants.CloudPublic}}
	if config, known := a.known[naming.Fold(name)]; known {
		usual, err := a.clouds.Usual(config)
		if err != nil {
			return usual, err
		}
		entry.Cloud = usual
	}
	if err := a.cloud(row, &entry); err != nil {
		return entry.Cloud, err
	}
	if entry.Cloud.AuthorityHost() == "" {
		return entry.Cloud, errors.New("its cloud cannot be looked up: use public, usgovernment, china, or custom with its endpoints")
	}
	return entry.Cloud, nil
}

func tenantsOf(ctx context.Context, pool *httpclient.Pool, questions []question) map[question]reply {
	search := &domainSearch{pool: pool, silent: map[string]int{}}
	replies := make([]reply, len(questions))
	var group errgroup.Group
	group.SetLimit(lookups)
	for i, q := range questions {
		group.Go(func() error {
			replies[i] = search.ask(ctx, q)
			return nil
		})
	}
	_ = group.Wait() // each reply has its own failure
	all := make(map[question]reply, len(questions))
	for i, q := range questions {
		all[q] = replies[i]
	}
	return all
}

// domainSearch stops asking a host that does not answer, so that hundreds of
// domains do not wait for it.
type domainSearch struct {
	pool *httpclient.Pool

	mu sync.Mutex
	// silent counts the look-ups since the last answer, by host.
	silent map[string]int
}

func (s *domainSearch) ask(ctx context.Context, q question) reply {
	host := q.cloud.AuthorityHost()
	s.mu.Lock()
	gaveUp := s.silent[host] >= lookups
	s.mu.Unlock()
	if gaveUp {
		return reply{err: problems.New(problems.CodeNetwork, fmt.Sprintf("Entra ID (%s) does not answer and was not asked again for the domain %s.", host, q.domain))}
	}
	id, err := signin.TenantOfDomain(ctx, s.pool, q.cloud, q.domain)
	s.note(host, err)
	return reply{id, err}
}

func (s *domainSearch) note(host string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && slices.Contains([]problems.Code{problems.CodeNetwork, problems.CodeTimeout}, problems.As(err).Code) {
		s.silent[host]++
		return
	}
	s.silent[host] = 0
}

// fillIn gives each row the ID of its tenant, or names every row that has none
// and why: a domain that nobody knows is another mistake than a host that did not
// answer.
func (a *arranger) fillIn(open []asked, replies map[question]reply) error {
	unknown, unanswered := 0, 0
	for _, one := range open {
		r := replies[one.question]
		if r.err == nil {
			one.Row["tenant_id"] = r.tenantID
			continue
		}
		switch problems.As(r.err).Code {
		case problems.CodeTenantNotFound, problems.CodeInvalidArgument:
			unknown++
		default:
			unanswered++
		}
		if err := a.options.Progress(true, fmt.Sprintf("line %d: %s", one.line, exit.Of(r.err).Message)); err != nil {
			return err
		}
	}
	switch {
	case unknown+unanswered == 0:
		return nil
	case unanswered == 0:
		return exit.Refused("correct the domain, give a tenant_id, or take the rows out", "no tenant was found for %s; nothing was changed", phrase.Count(unknown, "domain"))
	}
	text := phrase.Count(unanswered, "domain") + " could not be looked up"
	if unknown > 0 {
		text += ", and no tenant was found for " + phrase.Count(unknown, "domain")
	}
	return exit.Failed("check the network and the proxy, then run it again", "%s; nothing was changed", text)
}
