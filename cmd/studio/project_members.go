package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/abn-studio/studio/annotator"
)

// projectMembersCommand lists who takes part in a project, adds somebody, or takes somebody out.
type projectMembersCommand struct {
	storageFlags
	Slug   string         `arg:"" help:"The project."`
	Add    string         `placeholder:"ADDRESS" xor:"change" help:"Make the person of this e-mail address a member, or give a member another role."`
	Role   annotator.Role `enum:",${member_roles}" default:"" placeholder:"ROLE" help:"With --add: ${member_roles} (default: what their account joins with)."`
	Remove string         `placeholder:"ADDRESS" xor:"change" help:"Take a member out. What they hold goes back; what they made stays."`
	JSON   bool           `name:"json" help:"Print one JSON document."`
}

// Run changes the members, if that is wanted, and lists them.
func (c *projectMembersCommand) Run(ctx context.Context, streams *stdio) error {
	if c.Role != "" && c.Add == "" {
		return errors.New("--role says what somebody is who is named with --add")
	}
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		if _, err := projectNamed(ctx, service, c.Slug); err != nil {
			return err
		}
		if c.Add != "" {
			if _, err := service.AddMember(ctx, annotator.System, c.Slug, c.Add, c.Role); err != nil {
				return inFlags(err)
			}
		}
		members, err := service.Members(ctx, annotator.System, c.Slug)
		if err != nil {
			return err
		}
		people, err := service.Users(ctx, annotator.System)
		if err != nil {
			return err
		}
		addresses := map[int64]string{}
		for _, p := range people {
			addresses[p.ID] = p.Email
		}
		if c.Remove != "" {
			at := slices.IndexFunc(members, func(m annotator.Member) bool {
				return strings.EqualFold(addresses[m.UserID], strings.TrimSpace(c.Remove))
			})
			if at < 0 {
				return fmt.Errorf("--remove %s: no member of project %s has that address", c.Remove, c.Slug)
			}
			if err := service.RemoveMember(ctx, annotator.System, c.Slug, members[at].UserID); err != nil {
				return err
			}
			members = slices.Delete(members, at, at+1)
		}
		if c.JSON {
			return printJSON(streams.Out, map[string]any{"members": append([]annotator.Member{}, members...)})
		}
		table := tabwriter.NewWriter(streams.Out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "ADDRESS\tNAME\tROLE")
		for _, m := range members {
			fmt.Fprintf(table, "%s\t%s\t%s\n", addresses[m.UserID], m.Name, m.Role)
		}
		return table.Flush()
	})
}
