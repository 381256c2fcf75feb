package tools

import (
	"context"
	"fmt"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

func (s *Service) registerPartner(ctx context.Context, j *job, in *schemas.RegisterPartnerInput) Result {
	id := in.PartnerID
	return s.write(ctx, j, writeRequest{
		to: in.Target, confirm: in.Confirmation, partnerID: in.PartnerID,
		judge: func(t target, now answers.Link) (string, error) {
			switch {
			case now.State.Absent():
				return "", nil
			case now.PartnerID == id:
				return fmt.Sprintf("Partner ID %s is linked already", id), nil
			default:
				return "", problems.New(problems.CodeAlreadyLinked,
					fmt.Sprintf("Partner ID %s is linked already%s, and register_partner never overwrites.", now.PartnerID, t.unexpected(now)),
					problems.WithNextTool(schemas.ToolUpdatePartner),
					problems.WithHint("To replace it, call update_partner with partner_id %s and expected_current_partner_id %s.", id, now.PartnerID))
			}
		},
		did: fmt.Sprintf("Registered partner ID %s", id),
	})
}

func (s *Service) updatePartner(ctx context.Context, j *job, in *schemas.UpdatePartnerInput) Result {
	id, expected := in.PartnerID, in.ExpectedCurrentPartnerID
	return s.write(ctx, j, writeRequest{
		to: in.Target, confirm: in.Confirmation, partnerID: in.PartnerID,
		judge: func(t target, now answers.Link) (string, error) {
			switch {
			case now.State.Absent():
				return "", problems.New(problems.CodeNotLinked,
					"There is no link to change.", problems.WithNextTool(schemas.ToolRegisterPartner))
			case now.PartnerID == id:
				return fmt.Sprintf("Partner ID %s is linked already", id), nil
			case expected != "" && now.PartnerID != expected:
				return "", mismatch("expected_current_partner_id", expected, fmt.Sprint(now.PartnerID, t.unexpected(now)))
			default:
				return "", nil
			}
		},
		did: fmt.Sprintf("Changed the link to partner ID %s", id),
	})
}

func (s *Service) removePartner(ctx context.Context, j *job, in *schemas.RemovePartnerInput) Result {
	id := in.PartnerID
	return s.write(ctx, j, writeRequest{
		to: in.Target, confirm: in.Confirmation, partnerID: in.PartnerID,
		judge: func(t target, now answers.Link) (string, error) {
			switch {
			case now.State.Absent():
				return "Nothing is linked", nil
			case now.PartnerID != id:
				return "", mismatch("partner_id", id, fmt.Sprint(now.PartnerID, t.unexpected(now)))
			default:
				return "", nil
			}
		},
		did: fmt.Sprintf("Removed the link to partner ID %s", id),
	})
}

func mismatch(argument string, said partnerid.ID, linked string) error {
	return problems.New(problems.CodeCurrentMismatch,
		fmt.Sprintf("%s is %s, but %s is linked.", argument, said, linked),
		problems.WithNextTool(schemas.ToolCheckPartnerLink))
}
