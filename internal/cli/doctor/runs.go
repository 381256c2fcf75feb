package doctor

import (
	"context"
	"fmt"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas"
)

const runsExamined = 200

func checkRuns(ctx context.Context, a *app.App) check {
	const verify = "mcp-partner ledger verify"
	runs, err := a.Ledger.OpenedRuns(ctx, false, runsExamined)
	if err != nil {
		return failedCheck("runs", err, verify)
	}
	for _, run := range runs {
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

func checkProgress(run guard.Run, progress map[int]guard.Progress) (check, bool) {
	stranded, begun := 0, 0
	for _, p := range progress {
		switch {
		case p.Stage == guard.StageStranded:
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
		return check{"runs", CheckWarn, fmt.Sprintf("In the run %s %s unfinished.", run.ID, are(begun)), command}, true
	default:
		return check{}, false
	}
}

func are(n int) string {
	if n == 1 {
		return "1 tenant is"
	}
	return fmt.Sprintf("%d tenants are", n)
}
