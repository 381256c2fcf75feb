package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	ledgercmd "mcp-partner/internal/cli/ledger"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// checkRecord looks at everything that decides on writes: the ledger, the brake,
// the approvers, the policy and where approvals are announced.
func checkRecord(ctx context.Context, deps *cmdutil.Deps, a *app.App) []check {
	checks := []check{checkPolicy(deps)}
	recorded := a.Ledger.Begun() && a.KeepsRecord()
	if deps.Config.Webhook != nil || len(deps.Config.Alerts) > 0 {
		checks = append(checks, checkWebhook(ctx, deps, a, recorded))
	}
	if !recorded {
		if err := a.MissingLedger(ctx); err != nil {
			return append(checks, failedCheck("ledger", err, "cp BACKUP/ledger.db "+phrase.ShellWord(a.Ledger.Path())))
		}
		return append(checks,
			check{"ledger", checkOK, "There is no ledger yet; the first call or change creates it, and needs a vault.", ""},
			check{"approvers", CheckWarn, "There are no approvers yet, so writes can be approved only in a client.", "mcp-partner users add NAME"})
	}
	if deps.Config.Heads != nil {
		checks = append(checks, checkHeads(ctx, a))
	}
	if err := a.CheckQueue(ctx); err != nil {
		// A warning: commands and servers over stdio need no queue.
		checks = append(checks, check{"jobs", CheckWarn, problems.As(err).Message + " Until then a server runs no schedule and sends nothing again.", "mcp-partner doctor"})
	}
	return append(checks, checkLedger(ctx, a), checkFreeze(ctx, a), checkApprovers(ctx, a), checkRuns(ctx, a))
}

// headsWithin is how long an entry may wait for a head that is pushed. A server
// pushes one each minute and when it ends.
const headsWithin = time.Hour

func checkHeads(ctx context.Context, a *app.App) check {
	const push = "mcp-partner ledger head --push"
	seq, since, err := a.Ledger.Unpushed(ctx)
	waits := time.Since(since)
	switch {
	case err != nil:
		return failedCheck("heads", err, push)
	case seq > 0 && waits > headsWithin:
		return check{"heads", CheckWarn, fmt.Sprintf("No head was pushed since entry %d, %d hours ago: nothing elsewhere vouches for later entries.", seq, int(waits.Hours())), push}
	}
	return check{"heads", checkOK, "Heads of the ledger are pushed to where the config file says.", ""}
}

func checkPolicy(deps *cmdutil.Deps) check {
	rules := deps.Config.Policy
	if rules == nil {
		return check{"policy", checkOK, "There is no policy in the config file; the flags --allow-writes and --approval decide.", ""}
	}
	policy, err := access.NewPolicy(access.Settings{Rules: rules})
	if err != nil {
		return failedCheck("policy", err, "mcp-partner policy test --help")
	}
	return check{"policy", checkOK, fmt.Sprintf("%s, digest %s; a tool without a rule is read-only.", phrase.Count(len(rules), "rule"), policy.Digest()), ""}
}

// givenUpFor is how long doctor tells of messages that were given up.
const givenUpFor = 7 * 24 * time.Hour

func checkWebhook(ctx context.Context, deps *cmdutil.Deps, a *app.App, recorded bool) check {
	if _, err := deps.NewWebhook(); err != nil {
		return failedCheck("webhook", err, "openssl rand -hex 32 > FILE")
	}
	if recorded {
		// An unreadable ledger is reported by its own check.
		if n, err := a.Ledger.GivenUp(ctx, time.Now().Add(-givenUpFor)); err == nil && n > 0 {
			return check{"webhook", CheckWarn, phrase.Count(n, "message") + " given up in the last 7 days, because no webhook took it for a day.", "mcp-partner ledger list"}
		}
		if u, err := a.Untaken(ctx); err == nil && u.Messages > 0 {
			return checkUntaken(u)
		}
	}
	return check{"webhook", checkOK, "Pending approvals and alerts are sent where the config file says. Nothing was sent now.", ""}
}

// checkUntaken has a fix that shows what the channel was not told; why it took nothing
// is known to the log alone.
func checkUntaken(u app.Untaken) check {
	who, fix := "The channel "+u.Channel+" of alerts", "mcp-partner audit changes"
	next := "A server sends again and logs the reason; check url and key_file in the config file."
	switch {
	case u.Channel == "":
		who, fix = "The webhook of approvals", "mcp-partner approvals list"
	case !u.Configured:
		next = "The config file does not name it any more: put it back, or leave the messages until they are given up after a day."
	}
	return check{"webhook", CheckWarn, fmt.Sprintf("%s has not taken %s yet after %s. %s", who, phrase.Count(u.Messages, "message"), phrase.Count(u.Tries, "attempt"), next), fix}
}

func checkLedger(ctx context.Context, a *app.App) check {
	const verify = "mcp-partner ledger verify"
	report, err := a.Ledger.Verify(ctx, nil)
	if err != nil {
		return failedCheck("ledger", err, verify)
	}
	status, err := a.Ledger.Status(ctx)
	switch {
	case err != nil:
		return failedCheck("ledger", err, verify)
	case !report.Whole():
		return check{"ledger", CheckFail, "The ledger was changed: " + ledgercmd.FindingText(report.Findings[0]) + ".", verify}
	}
	where := ""
	switch {
	case status.AddsOnly:
		where = " They are " + status.Path + ", and its role can only add to them."
	case a.Ledger.OnServer():
		where = " They are " + status.Path + ", and its role can change and remove them."
	}
	if len(status.Withheld) > 0 {
		where += " The server does not tell its " + strings.Join(status.Withheld, " and ") + ", so a failover or a restored dump may be noticed only by the number that the vault remembers."
	}
	return check{"ledger", checkOK, fmt.Sprintf("%s up to %d, each chained to the one before; the vault remembers %d.%s", phrase.Entries(status.Entries), status.Last, status.Remembered, where), ""}
}

func checkFreeze(ctx context.Context, a *app.App) check {
	freeze, err := a.Ledger.Freeze(ctx)
	switch {
	case err != nil:
		return failedCheck("freeze", err, "mcp-partner ledger verify")
	case freeze.Writes || freeze.Reads:
		return check{"freeze", CheckWarn, strings.Replace(freeze.Scope(), "w", "W", 1) + " are frozen: " + freeze.Reason, "mcp-partner unfreeze --approver NAME"}
	}
	return check{"freeze", checkOK, "Nothing is frozen.", ""}
}

func checkApprovers(ctx context.Context, a *app.App) check {
	approvers, err := guard.Approvers(ctx, a.Ledger)
	switch {
	case err != nil:
		return failedCheck("approvers", err, "mcp-partner ledger verify")
	case len(approvers) == 0:
		return check{"approvers", CheckWarn, "There are no approvers yet, so writes can be approved only in a client.", "mcp-partner users add NAME"}
	}
	return check{"approvers", checkOK, phrase.Count(len(approvers), "approver") + " can approve writes.", ""}
}

const runsExamined = 200

func checkRuns(ctx context.Context, a *app.App) check {
	const verify = "mcp-partner ledger verify"
	opened, err := a.Ledger.OpenedRuns(ctx, false, runsExamined)
	if err != nil {
		return failedCheck("runs", err, verify)
	}
	for _, run := range opened {
		progress, err := a.Ledger.Progress(ctx, run.ID)
		if err != nil {
			return failedCheck("runs", err, verify)
		}
		if found, bad := checkProgress(run, progress); bad {
			return found
		}
	}
	return check{"runs", checkOK, "No run is unfinished.", ""}
}

func checkProgress(run runs.Run, progress map[int]guard.Progress) (check, bool) {
	stranded, begun := 0, 0
	for _, p := range progress {
		switch {
		case p.Stage == runs.StageStranded:
			stranded++
		case p.Stage.Begun():
			begun++
		}
	}
	command := "mcp-partner ensure --resume " + run.ID
	if run.Tool == schemas.ToolTransitionPartner {
		command = "mcp-partner transition --resume " + run.ID
	}
	switch {
	case stranded > 0:
		return check{"runs", CheckFail, fmt.Sprintf("The run %s left %s without a link.", run.ID, phrase.Count(stranded, "tenant")), command}, true
	case begun > 0:
		return check{"runs", CheckWarn, fmt.Sprintf("The run %s left %s unfinished.", run.ID, phrase.Count(begun, "tenant")), command}, true
	default:
		return check{}, false
	}
}
