package render

import (
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// AdaptHints rewrites the next step for a person at the terminal, who can do
// right here what an agent is advised about a server and a tenant in general.
func AdaptHints(e answers.Envelope) answers.Envelope {
	if e.Problem == nil {
		return e
	}
	problem := AdaptProblem(*e.Problem)
	if problem.Code == problems.CodeWritesDisabled {
		e.Summary = problem.Message
	}
	if e.Problem = &problem; e.Identity != nil {
		e.Problem = problem.For(e.Identity.Tenant)
	}
	return e
}

// AdaptProblem words a refusal of writes for somebody who can add the flag.
func AdaptProblem(problem problems.Problem) problems.Problem {
	if problem.Code == problems.CodeWritesDisabled {
		problem.Message = "Writes are off without --allow-writes."
		problem.Hint = "Add --allow-writes. A person is asked before the write."
	}
	problem.Hint = phrase.ForPerson(problem.Hint)
	return problem
}
