package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/abn-studio/studio/annotator"
)

// userCommand manages people from the server's own command line.
type userCommand struct {
	Add    userAddCommand    `cmd:"" help:"Add a person."`
	List   userListCommand   `cmd:"" help:"List everybody."`
	Passwd userPasswdCommand `cmd:"" help:"Give a person a new password and end their open sessions."`
	Code   userCodeCommand   `cmd:"" help:"Ask a person for no code at sign-in any more, who has lost authenticator app and recovery codes."`
	Tokens userTokensCommand `cmd:"" help:"List a person's API tokens, make one, or revoke them."`
	Data   userDataCommand   `cmd:"" help:"Print all that the studio holds of a person, as JSON."`
	Remove userRemoveCommand `cmd:"" help:"Remove a person for good: a pseudonym stands for them, and what they made stays."`
}

type userAddCommand struct {
	storageFlags
	Email    string `required:"" placeholder:"ADDRESS" help:"The address they sign in with."`
	Name     string `help:"How pages call them (default: what stands before the @)."`
	Role     string `enum:"${roles}" default:"annotator" help:"One of ${enum}."`
	Projects string `placeholder:"all|none|SLUG,…" help:"Which projects they join, with their role: all that there are (so without the flag), none, or some by their slugs."`
	JSON     bool   `name:"json" help:"Print one JSON document."`
}

// Run adds the person. On a terminal it asks for the password, otherwise that is the first line of the input.
func (c *userAddCommand) Run(ctx context.Context, streams *stdio) error {
	password, err := readPassword(streams)
	if err != nil {
		return err
	}
	name := c.Name
	if name == "" {
		name, _, _ = strings.Cut(c.Email, "@")
	}
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		u, err := service.CreateUser(ctx, annotator.System, annotator.NewUser{
			Email: c.Email, Name: name, Password: password, Role: annotator.Role(c.Role), Projects: joined(c.Projects),
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(streams.Out, u)
		}
		_, err = fmt.Fprintf(streams.Out, "Added %s <%s> as %s.\n", u.Name, u.Email, u.Role)
		return err
	})
}

// joined are the projects that somebody joins; nil: all.
func joined(projects string) []string {
	switch projects {
	case "", "all":
		return nil
	case "none":
		return []string{}
	}
	return strings.Split(projects, ",")
}

type userListCommand struct {
	storageFlags
	JSON bool `name:"json" help:"Print one JSON document."`
}

// Run lists people and generators.
func (c *userListCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		users, err := service.Users(ctx, annotator.System)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(streams.Out, map[string]any{"users": users})
		}
		table := tabwriter.NewWriter(streams.Out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tEMAIL\tNAME\tROLE\tSTATE")
		for _, u := range users {
			state := "active"
			switch {
			case u.RemovedAt != nil:
				state = "removed"
			case u.Generator:
				state = "generator"
			case u.Disabled:
				state = "disabled"
			}
			fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", u.ID, u.Email, u.Name, u.Role, state)
		}
		return table.Flush()
	})
}

type userPasswdCommand struct {
	storageFlags
	Email      string `required:"" placeholder:"ADDRESS" help:"Address of the person whose password it is."`
	KeepTokens bool   `help:"Leave their API tokens valid; else they are revoked."`
}

// Run changes the password.
func (c *userPasswdCommand) Run(ctx context.Context, streams *stdio) error {
	password, err := readPassword(streams)
	if err != nil {
		return err
	}
	return c.withStore(ctx, streams, func(s *storage, service *annotator.Service) error {
		u, _, err := s.Store.UserByEmail(ctx, c.Email)
		if err != nil {
			return err
		}
		open, err := service.Sessions(ctx, annotator.System, u.ID, 0)
		if err != nil {
			return err
		}
		change := annotator.UserChange{Password: &password, KeepTokens: c.KeepTokens}
		if _, err := service.ChangeUser(ctx, annotator.System, u.ID, change); err != nil {
			return err
		}
		tokens := "API tokens are revoked."
		if c.KeepTokens {
			tokens = "API tokens stay valid: studio user tokens --email " + u.Email + " --revoke all"
		}
		_, err = fmt.Fprintf(streams.Out, "%s has a new password; open sessions ended: %d. %s\n", u.Name, len(open), tokens)
		return err
	})
}

type userCodeCommand struct {
	storageFlags
	Email string `required:"" placeholder:"ADDRESS" help:"Address of the person."`
}

// Run takes the second factor off.
func (c *userCodeCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(s *storage, service *annotator.Service) error {
		u, _, err := s.Store.UserByEmail(ctx, c.Email)
		if err != nil {
			return err
		}
		if err := service.TakeOffFactor(ctx, annotator.System, u.ID); err != nil {
			return err
		}
		_, err = fmt.Fprintf(streams.Out, "%s is asked for no code any more: their password alone lets them in.\n", u.Name)
		return err
	})
}

type userTokensCommand struct {
	storageFlags
	Email  string `required:"" placeholder:"ADDRESS" help:"Address of the person whose tokens they are."`
	Revoke string `placeholder:"ID|all" xor:"do" help:"Revoke the token of this number, or all of them."`
	Make   string `placeholder:"NAME" xor:"do" help:"Make a token with this name, and print it: it is not shown again."`
	Scopes string `default:"read" help:"With --make: what it may be used for, some of read, paint, review, admin, with commas between."`
	Days   *int   `placeholder:"N" help:"With --make: how many days until it expires (default: three months' worth; a year's at most)."`
	JSON   bool   `name:"json" help:"Print one JSON document."`
}

// make makes a token and prints nothing but the token, for scripts.
func (c *userTokensCommand) make(ctx context.Context, streams *stdio, service *annotator.Service, owner annotator.User) error {
	wanted := annotator.NewToken{Name: c.Make, Days: annotator.DefaultTokenDays}
	if c.Days != nil {
		wanted.Days = *c.Days
	}
	for scope := range strings.SplitSeq(c.Scopes, ",") {
		wanted.Scopes = append(wanted.Scopes, annotator.Scope(strings.TrimSpace(scope)))
	}
	secret, token, err := service.CreateToken(ctx, annotator.System, owner.ID, wanted)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(streams.Out, map[string]any{"token": secret, "details": token})
	}
	fmt.Fprintf(streams.Err, "Token %d of %s, until %s. It is shown this once:\n", token.ID, owner.Name, token.ExpiresAt.Format(time.DateOnly))
	_, err = fmt.Fprintln(streams.Out, secret)
	return err
}

// Run lists the tokens that are left.
func (c *userTokensCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(s *storage, service *annotator.Service) error {
		u, _, err := s.Store.UserByEmail(ctx, c.Email)
		if err != nil {
			return err
		}
		if c.Make != "" {
			return c.make(ctx, streams, service, u)
		}
		tokens, err := service.Tokens(ctx, annotator.System, u.ID)
		if err != nil {
			return err
		}
		revoked := 0
		for _, t := range tokens {
			if c.Revoke != "all" && c.Revoke != strconv.FormatInt(t.ID, 10) {
				continue
			}
			if err := service.RevokeToken(ctx, annotator.System, t.ID); err != nil {
				return err
			}
			revoked++
		}
		if c.Revoke != "" && c.Revoke != "all" && revoked == 0 {
			return fmt.Errorf("%s has no token %s", u.Email, c.Revoke)
		}
		if tokens, err = service.Tokens(ctx, annotator.System, u.ID); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(streams.Out, map[string]any{"revoked": revoked, "tokens": tokens})
		}
		if c.Revoke != "" {
			fmt.Fprintf(streams.Out, "revoked: %d\n", revoked)
		}
		table := tabwriter.NewWriter(streams.Out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tWHAT FOR\tSCOPES\tMADE\tUSED\tEXPIRES")
		for _, t := range tokens {
			used := "never"
			if t.LastUsedAt != nil {
				used = t.LastUsedAt.Format(time.DateTime)
			}
			scopes := make([]string, len(t.Scopes))
			for i, s := range t.Scopes {
				scopes[i] = string(s)
			}
			fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, strings.Join(scopes, ","), t.CreatedAt.Format(time.DateTime), used, t.ExpiresAt.Format(time.DateTime))
		}
		return table.Flush()
	})
}

type userDataCommand struct {
	storageFlags
	Email string `required:"" placeholder:"ADDRESS" help:"Address of the person."`
}

// Run prints the document.
func (c *userDataCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(s *storage, service *annotator.Service) error {
		u, _, err := s.Store.UserByEmail(ctx, c.Email)
		if err != nil {
			return err
		}
		return service.PersonalData(ctx, annotator.System, u.ID, streams.Out)
	})
}

type userRemoveCommand struct {
	storageFlags
	Email string `required:"" placeholder:"ADDRESS" help:"Address of the person."`
	JSON  bool   `name:"json" help:"Print one JSON document."`
}

// Run removes the person.
func (c *userRemoveCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(s *storage, service *annotator.Service) error {
		u, _, err := s.Store.UserByEmail(ctx, c.Email)
		if err != nil {
			return err
		}
		typed := c.Email
		if u.Generator {
			typed = u.Name
		}
		removed, err := service.RemovePerson(ctx, annotator.System, u.ID, typed)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(streams.Out, removed)
		}
		_, err = fmt.Fprintf(streams.Out, "%s is removed. What they made and judged stands under %s.\n", u.Name, removed.Name)
		return err
	})
}

// readPassword asks twice on a terminal, without showing the input; otherwise it reads one line.
func readPassword(streams *stdio) (string, error) {
	file, ok := streams.In.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(streams.In, 4096)).ReadString('\n')
		if err != nil && err != io.EOF {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(streams.Err, prompt)
		data, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(streams.Err)
		if err != nil {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		typed[i] = string(data)
	}
	if typed[0] != typed[1] {
		return "", fmt.Errorf("the two passwords differ")
	}
	return typed[0], nil
}
