package contract

import (
	"context"
	"fmt"
	"net/http"

	"mcp-partner/armclient"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// step is one request of the life of a link.
type step struct {
	name   string
	method string
	id     partnerid.ID
	want   expected
	// linked is the partner ID that has to be linked afterwards; "" for none.
	linked partnerid.ID
}

// writes reports whether the version must have risen by one.
func (s step) writes() bool { return s.want.statuses[0] == http.StatusOK }

// leaves reports whether a link is what the step should leave.
func (s step) leaves(link answers.Link) bool {
	return link.State == answers.LinkLinked && link.PartnerID == s.linked || s.linked == "" && link.State.Absent()
}

// steps are what happens to the link, in order: what fails without a link, its
// making, what fails over it, its moving, its end.
func (w *Writer) steps() []step {
	first, second := w.PartnerID, w.moved()
	conflict := map[int][]string{409: {"Conflict", "PartnerIdAlreadyLinked"}}
	return []step{
		{"PATCH without a link", http.MethodPatch, second, expected{[]int{404}, notFound(), "PATCH without a link"}, ""},
		{"DELETE without a link", http.MethodDelete, first, expected{[]int{404}, notFound(), "DELETE of another ID than the linked one"}, ""},
		{"PUT where nothing is linked", http.MethodPut, first, expected{statuses: []int{200}, settles: "How long a PUT or DELETE takes"}, first},
		{"PUT over a live link", http.MethodPut, second, expected{[]int{409}, conflict, "Code of a PUT over a live link"}, first},
		{"PATCH of the link", http.MethodPatch, second, expected{statuses: []int{200}, settles: "Whether the version always rises by exactly one"}, second},
		{"DELETE of an ID that is not linked", http.MethodDelete, absentID, expected{[]int{404}, notFound(), "DELETE of another ID than the linked one"}, second},
		{"DELETE of the link", http.MethodDelete, second, expected{statuses: []int{200}}, ""},
	}
}

// life executes the steps. It stops if the link is not what the step before
// should have left: somebody else writes there, or the provider behaves
// unexpectedly. In the end it removes what it created.
func (r *run) life(ctx context.Context) {
	r.report.Wrote = true
	steps := r.Writer.steps()
	for i, s := range steps {
		if !r.step(ctx, s) {
			for _, left := range steps[i+1:] {
				r.skip(left.name, left.want, "the step before ended the run")
			}
			break
		}
	}
	r.cleanUp(ctx)
	if r.report.Remains == "" && r.read.Link.State.Absent() {
		r.afterDelete(ctx)
	}
}

// step makes one request, checks answer, state and version, and reports whether
// the next may follow.
func (r *run) step(ctx context.Context, s step) (goOn bool) {
	before := r.read.Link
	outcome, err := r.write(ctx, s.method, s.id)
	if err != nil {
		r.skip(s.name, s.want, "the guard did not allow it: "+string(problems.As(err).Code))
		return s.leaves(before)
	}
	r.made = r.made || s.method != http.MethodDelete && outcome.Applied != armclient.AppliedNo
	check := r.add(r.compare(s.name, r.Wire.seen, s.method, schemas.PathPartners+"/"+string(s.id), s.want))
	after := outcome.After.Link
	switch {
	case after.State == answers.LinkUnknown:
		check.Details = append(check.Details, "read back, the link is unknown")
	case !s.leaves(after):
		check.differ("read back, the link is not what this request should leave")
	case s.writes():
		check.grown(s.want, before, after)
	}
	if outcome.Problem != nil && outcome.Problem.Code == problems.CodeConcurrentChange {
		r.shared = true
		check.differ("somebody else seems to write there as well, or the version does not rise by one")
	}
	return s.leaves(after) && !r.shared
}

// grown compares the versions around a write that was carried out.
func (c *Check) grown(want expected, before, after answers.Link) {
	c.settle(want)
	switch {
	case before.Version == nil || after.Version == nil:
		c.Details = append(c.Details, "the version cannot be compared: one of the two reads has none")
	case *after.Version != *before.Version+1:
		c.differ(fmt.Sprintf("the version rose by %d and not by one", *after.Version-*before.Version))
	default:
		c.Details = append(c.Details, "the version rose by one")
	}
	c.Details = append(c.Details, "one read afterwards shows it")
}

func (c *Check) differ(detail string) {
	c.Verdict = Differs
	c.Details = append(c.Details, detail)
}

// settle is for an answer that closes an open question although the document
// leaves nothing open about its status.
func (c *Check) settle(want expected) {
	if c.Verdict == Agrees && want.settles != "" {
		c.Verdict, c.Settles = Settled, want.settles
	}
}

// cleanUp removes a link that this run made. One to another ID, or one that
// somebody else has touched, is left alone.
func (r *run) cleanUp(ctx context.Context) {
	link := r.read.Link
	switch {
	case link.State.Absent():
		return
	case r.made && !r.shared && link.State == answers.LinkLinked && (link.PartnerID == r.Writer.PartnerID || link.PartnerID == r.Writer.moved()):
		if _, err := r.write(ctx, http.MethodDelete, link.PartnerID); err == nil && r.read.Link.State.Absent() {
			return
		}
	}
	r.report.Remains = "A link may remain in that tenant: read it, and remove what this run made."
}

// afterDelete is what a read says once the link is gone.
func (r *run) afterDelete(ctx context.Context) {
	want := expected{[]int{200, 404}, notFound(), "GET after a DELETE: 404, or 200 with `Deleted`"}
	check := r.get(ctx, "GET after the DELETE", schemas.PathPartners, want, func(ctx context.Context) { r.read = r.Wire.client.Link(ctx) })
	if check.settle(want); r.read.Link.State == answers.LinkLinked {
		check.differ("the link is live again")
	}
}
